"""White space as Go defines it (unicode.IsSpace); Python's definition is wider.

The tools whose files are read here are written in Go, and trim lines and statements by it.
"""

SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
