CREATE SCHEMA "My Schema";
CREATE SCHEMA "other";
CREATE TABLE "My Schema"."Order" (
    "select" bigint PRIMARY KEY, "a.b" text NOT NULL DEFAULT E'\t', "quo""te" text DEFAULT 'its',
    "ÄÖ" "char", CONSTRAINT "Check; it" CHECK ("a.b" <> ';')
);
CREATE TYPE "My Schema"."Type; DROP" AS ENUM ('a''b', 'new;', 'c"d', '');
CREATE TABLE other."Order" (
    id int REFERENCES "My Schema"."Order", t "My Schema"."Type; DROP" DEFAULT 'a''b'
);
CREATE INDEX "In dex" ON "My Schema"."Order" ("a.b", "quo""te");
CREATE VIEW "My Schema"."View" AS
    SELECT "select" AS "from", "a.b", "ÄÖ" AS "Group" FROM "My Schema"."Order";
CREATE FUNCTION "My Schema"."Do"("Arg" int) RETURNS text LANGUAGE plpgsql
    AS $body$ BEGIN RETURN $x$;$x$ || "Arg"; END; $body$;
CREATE TRIGGER "T r" BEFORE TRUNCATE ON other."Order" EXECUTE FUNCTION suppress_redundant_updates_trigger();
COMMENT ON COLUMN "My Schema"."Order"."a.b" IS 'one line';
COMMENT ON CONSTRAINT "Check; it" ON "My Schema"."Order" IS 'why';
COMMENT ON INDEX "My Schema"."In dex" IS 'i';
COMMENT ON TYPE "My Schema"."Type; DROP" IS 't';
