CREATE TABLE media (id int PRIMARY KEY, title text NOT NULL, added date DEFAULT CURRENT_DATE);
CREATE TABLE books (isbn text, pages bigint) INHERITS (media);
CREATE TABLE films (minutes int) INHERITS (media);
CREATE FUNCTION short(t text) RETURNS varchar LANGUAGE sql IMMUTABLE
    AS $$ SELECT left(t, 12)::varchar $$;
CREATE VIEW titles AS SELECT id, short(title) AS title, added FROM media;
COMMENT ON VIEW titles IS 'Cut';
COMMENT ON COLUMN titles.title IS 'Cut, too';
CREATE VIEW long_books AS SELECT * FROM books WHERE pages > 500;
CREATE VIEW long_titles AS
    SELECT t.title, b.pages, t.added FROM titles t JOIN long_books b USING (id);
CREATE RECURSIVE VIEW numbers (n) AS
    VALUES (1) UNION ALL SELECT n + 1 FROM numbers WHERE n < 10;
CREATE MATERIALIZED VIEW by_year AS
    SELECT date_part('year', added) AS year, count(*) FROM titles GROUP BY 1 WITH NO DATA;
CREATE VIEW editable AS SELECT id, title FROM media WHERE id > 0 WITH LOCAL CHECK OPTION;
GRANT SELECT ON titles, long_books TO reader;
