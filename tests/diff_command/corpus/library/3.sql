CREATE TABLE media (id bigint PRIMARY KEY, title varchar(200) NOT NULL);
CREATE TABLE volumes (id bigint PRIMARY KEY, isbn text UNIQUE, pages int, media_id bigint REFERENCES media);
CREATE VIEW titles AS SELECT id, title FROM media;
CREATE MATERIALIZED VIEW long_books AS SELECT * FROM volumes WHERE pages > 500;
CREATE INDEX long_books_isbn ON long_books (isbn);
CREATE VIEW long_titles AS SELECT b.pages FROM long_books b;
