package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"ariga.io/atlas/sql/migrate"
	"ariga.io/atlas/sql/schema"
)

const schemaName = "atlas_schema_revisions"

// The table as Atlas's command makes it (cmd/atlas/internal/migrate/ent).
const table = `CREATE SCHEMA IF NOT EXISTS "atlas_schema_revisions";
CREATE TABLE IF NOT EXISTS "atlas_schema_revisions"."atlas_schema_revisions" (
  "version" character varying NOT NULL, "description" character varying NOT NULL,
  "type" bigint NOT NULL DEFAULT 2, "applied" bigint NOT NULL DEFAULT 0,
  "total" bigint NOT NULL DEFAULT 0, "executed_at" timestamptz NOT NULL,
  "execution_time" bigint NOT NULL, "error" text NULL, "error_stmt" text NULL,
  "hash" character varying NOT NULL, "partial_hashes" jsonb NULL,
  "operator_version" character varying NOT NULL, PRIMARY KEY ("version"))`

const columns = `"version", "description", "type", "applied", "total", "executed_at",
  "execution_time", "error", "error_stmt", "hash", "partial_hashes", "operator_version"`

const from = ` FROM "atlas_schema_revisions"."atlas_schema_revisions"
  WHERE "version" <> '.atlas_cloud_identifier'`

// revisions reads and writes that table.
type revisions struct{ conn schema.ExecQuerier }

func (r *revisions) Ident() *migrate.TableIdent {
	return &migrate.TableIdent{Name: schemaName, Schema: schemaName}
}

func (r *revisions) ReadRevisions(ctx context.Context) ([]*migrate.Revision, error) {
	return r.read(ctx, "SELECT "+columns+from+` ORDER BY "version" COLLATE "C"`)
}

func (r *revisions) ReadRevision(ctx context.Context, version string) (*migrate.Revision, error) {
	found, err := r.read(ctx, "SELECT "+columns+from+` AND "version" = $1`, version)
	if err == nil && len(found) == 0 {
		return nil, migrate.ErrRevisionNotExist
	}
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

func (r *revisions) read(
	ctx context.Context, query string, args ...any,
) (found []*migrate.Revision, err error) {
	rows, err := r.conn.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var (
			each        migrate.Revision
			kind, took  int64
			problem, at sql.NullString
			hashes      sql.NullString
		)
		err := rows.Scan(&each.Version, &each.Description, &kind, &each.Applied, &each.Total,
			&each.ExecutedAt, &took, &problem, &at, &each.Hash, &hashes, &each.OperatorVersion)
		if err != nil {
			return nil, err
		}
		each.Type, each.ExecutionTime = migrate.RevisionType(kind), time.Duration(took)
		each.Error, each.ErrorStmt = problem.String, at.String
		if hashes.Valid {
			if err := json.Unmarshal([]byte(hashes.String), &each.PartialHashes); err != nil {
				return nil, fmt.Errorf("partial_hashes: %w", err)
			}
		}
		found = append(found, &each)
	}
	return found, rows.Err()
}

func (r *revisions) WriteRevision(ctx context.Context, each *migrate.Revision) error {
	hashes, err := json.Marshal(each.PartialHashes)
	if err != nil {
		return err
	}
	_, err = r.conn.ExecContext(ctx, `INSERT INTO "atlas_schema_revisions"."atlas_schema_revisions" (`+
		columns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
  ON CONFLICT ("version") DO UPDATE SET "type" = excluded."type", "applied" = excluded."applied",
  "total" = excluded."total", "execution_time" = excluded."execution_time",
  "error" = excluded."error", "error_stmt" = excluded."error_stmt", "hash" = excluded."hash",
  "partial_hashes" = excluded."partial_hashes", "operator_version" = excluded."operator_version"`,
		each.Version, each.Description, int64(each.Type), each.Applied, each.Total, each.ExecutedAt,
		int64(each.ExecutionTime), each.Error, each.ErrorStmt, each.Hash, string(hashes),
		each.OperatorVersion)
	return err
}

func (r *revisions) DeleteRevision(ctx context.Context, version string) error {
	_, err := r.conn.ExecContext(ctx,
		`DELETE FROM "atlas_schema_revisions"."atlas_schema_revisions" WHERE "version" = $1`, version)
	return err
}
