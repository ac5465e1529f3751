"""dbmigrate: migrates PostgreSQL databases from Kubernetes and from the command line.

It has two parts. The runner (cli -> runner -> postgres, sources) applies migration
files to one database. The operator (controller -> api) runs the runner as a Job and
writes what it reports into the resource's status. They meet only in the Job's command
line and in dbmigrate.report.
"""

__version__ = "0.1.0"
