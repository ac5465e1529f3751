"""The names of connection parameters that are known, and to whom.

A name that is known cannot be a part of a password that was written into a URL as it is;
any other name may be.
"""

from __future__ import annotations

import re

_LIBPQ = """
application_name channel_binding client_encoding connect_timeout dbname
fallback_application_name gssdelegation gssencmode gsslib host hostaddr keepalives
keepalives_count keepalives_idle keepalives_interval krbsrvname load_balance_hosts
max_protocol_version min_protocol_version oauth_client_id oauth_client_secret oauth_issuer
oauth_scope options passfile password port replication require_auth requirepeer
scram_client_key scram_server_key service servicefile ssl_max_protocol_version
ssl_min_protocol_version sslcert sslcertmode sslcompression sslcrl sslcrldir sslkey
sslkeylogfile sslmode sslnegotiation sslpassword sslrootcert sslsni target_session_attrs
tcp_user_timeout user
"""
_DRIVERS = """
binary_parameters default_query_exec_mode description_cache_capacity
disable_prepared_binary_result min_read_buffer_size prefer_simple_protocol
statement_cache_capacity statement_cache_mode
"""
_OWN = """
x-migrations-table x-migrations-table-quoted x-statement-timeout x-multi-statement
x-multi-statement-max-size x-lock-strategy x-lock-table socket
"""
_SERVER = """
client_connection_check_interval client_min_messages datestyle default_table_access_method
default_tablespace default_transaction_isolation default_transaction_read_only
idle_in_transaction_session_timeout idle_session_timeout intervalstyle lc_messages
lock_timeout log_min_duration_statement log_statement maintenance_work_mem role row_security
search_path standard_conforming_strings statement_timeout synchronous_commit temp_buffers
timezone transaction_timeout work_mem
"""

LIBPQ = frozenset(_LIBPQ.split())
"""What libpq understands by itself, of any version up to 18."""
DRIVER_SETTINGS = frozenset(_DRIVERS.split())
"""Settings that only lib/pq and pgx use: dropped, as those drivers do."""
CERTIFICATE_VARIABLE = "DBMIGRATE_CLIENT_CERTIFICATE"
CREDENTIAL_FILES = ("DBMIGRATE_PASSWORD_FILE", CERTIFICATE_VARIABLE)
"""Variables that name what is read for every connection: credential_files.py."""
PASSWORDS = frozenset(("password", "sslpassword", "oauth_client_secret"))
"""Parameters whose value is a secret."""
KNOWN = LIBPQ | DRIVER_SETTINGS | frozenset(_OWN.split()) | frozenset(_SERVER.split())
"""Of libpq, of golang-migrate's drivers and of most sessions' settings."""
_PAIRED = {name.replace("_", ""): name for name in LIBPQ} | {
    "server": "host",
    "username": "user",
    "userid": "user",
    "uid": "user",
    "pwd": "password",
    "passwd": "password",
    "pghost": "host",
    "pghostaddr": "hostaddr",
    "pgport": "port",
    "pguser": "user",
    "pgdatabase": "dbname",
    "pgoptions": "options",
    "pgservice": "service",
    "pgappname": "application_name",
    "pgsslmode": "sslmode",
    "database": "dbname",
    "schema": "search_path",
    "currentschema": "search_path",
    "ssl": "sslmode",
}


_SECRET = re.compile(r"passw|pwd|secret|token|credential|apikey|pass$|^pass")
_NO_SECRETS = frozenset(("password_encryption", "md5_password_warnings"))


def is_known(name: str) -> bool:
    """Whether libpq, golang-migrate's drivers or most sessions' settings have that name."""
    return name in KNOWN or name.lower() in KNOWN


def intended_name(name: str) -> str | None:
    """libpq's name for what another library calls so; None: no library does, or it is libpq's."""
    if name in KNOWN:
        return None
    plain = re.sub(r"[\s_-]", "", name.lower())
    if plain in _PAIRED:
        return _PAIRED[plain]
    # No setting of the server holds a secret; a name with a dot is an extension's or a program's.
    is_secret = _SECRET.search(plain) is not None and "." not in name
    return "password" if is_secret and name.lower() not in _NO_SECRETS else None
