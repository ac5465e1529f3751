SELECT 'C:\', 'it''s;', E'it\'s;\\', e'\\\'', U&'d\0061t\+000061;', U&"d\0061;t", B'01', X'1F', N'n;';
SELECT 'a'
   'b;' AS continued, E'a\''
   '\';' AS with_escapes;
SELECT $$;$$, $é$;$$;$é$, $_1$ $1;$_1$, $$$$, a$b$c, "a$$b;c" FROM t;
SELECT date'2026-01-01;', interval '1 day;', 1e5, .5, 5., 0x1F, 1_000, $1, -1, 1--;
- -1, 2 /* /* ; */ ' */ / 3, '--', '/*', '*/', 4*/*;*/5, @-6, 7 <-- ;
8;
SELECT """;""" AS "a""b;", ''';''' || ''; ;
;; -- nothing; at all
/* ; */ SELECT (array[1, 2])[1:2], '{";"}'::jsonb @> '{}', x'00'::bit(8), 'a' LIKE 'b;' ESCAPE '\';
SELECT 'ends without a semicolon' -- ;
