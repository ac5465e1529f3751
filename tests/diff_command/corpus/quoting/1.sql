-- Names that hurt.
CREATE SCHEMA "My Schema";
CREATE TABLE "My Schema"."Order" ("select" int PRIMARY KEY, "a.b" text, "quo""te" text DEFAULT 'it''s');
CREATE TYPE "My Schema"."Type; DROP" AS ENUM ('a''b', 'c"d', '');
CREATE VIEW "My Schema"."View" AS SELECT "select" AS "from", "a.b" FROM "My Schema"."Order";
CREATE FUNCTION "My Schema"."Do"("Arg" int) RETURNS text LANGUAGE sql
    AS 'SELECT $$;$$::text -- "Arg"';
COMMENT ON COLUMN "My Schema"."Order"."a.b" IS E'two\nlines; and a \\ back''slash';
