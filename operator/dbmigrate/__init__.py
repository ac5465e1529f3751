"""dbmigrate: migrates PostgreSQL databases from Kubernetes and from the command line.

It has two parts. The runner (cli -> runner -> postgres, sources) applies migration
files to one database. The operator (controller -> api) runs the runner as a Job and
writes what it reports into the resource's status. They meet only in the Job's command
line and in dbmigrate.report.
"""

__version__ = "0.2.0-dev"
"""The one place that says it: the package's metadata and the reports take it from here, and the
build of the image puts its own version in (`--build-arg VERSION`)."""

__all__ = ["__version__"]
