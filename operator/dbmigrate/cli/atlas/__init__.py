"""`dbmigrate atlas ...`: Atlas's own command line and its project file, atlas.hcl."""
