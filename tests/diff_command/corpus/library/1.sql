-- Inheritance, views on views, recursive ones, functions that views need.
CREATE TABLE media (id int PRIMARY KEY, title text NOT NULL);
CREATE TABLE books (isbn text, pages int) INHERITS (media);
CREATE FUNCTION short(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT left(t, 10) $$;
CREATE VIEW titles AS SELECT id, short(title) AS title FROM media;
CREATE VIEW long_books AS SELECT * FROM books WHERE pages > 500;
CREATE VIEW long_titles AS SELECT t.title, b.pages FROM titles t JOIN long_books b USING (id);
