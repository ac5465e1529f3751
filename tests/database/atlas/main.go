// A judge for what dbmigrate does with Atlas's files and Atlas's table: Atlas's own library,
// whose newest command can't be built from the Go proxy. It knows sums, statements and header
// comments of files, and runs them on PostgreSQL with Atlas's executor and Atlas's lock, on
// a table that it reads and writes as Atlas's command does.
//
//	library sum DIR                   the atlas.sum of a directory
//	library check DIR...              whether atlas.sum agrees: `ok`, or line, file and reason
//	library stmts FILE...             statements and their sums, a line of JSON for each file
//	library golang-sum DIR            the atlas.sum of golang-migrate's files
//	library pending URL DIR ORDER     what it would run, a name a line; ORDER as in --exec-order
//	library apply URL DIR ORDER MODE  run it; MODE is none or file
//	library hold URL                  take the lock, say so, keep it until standard input ends
package main

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"ariga.io/atlas/sql/migrate"
	"ariga.io/atlas/sql/postgres"
	"ariga.io/atlas/sql/schema"
	"ariga.io/atlas/sql/sqltool"

	_ "github.com/lib/pq"
)

const lockName = "atlas_migrate_execute"

func main() {
	if len(os.Args) < 3 {
		fail(errors.New("what is to be judged?"))
	}
	if err := run(context.Background(), os.Args[1], os.Args[2:]); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "Error:", err)
	os.Exit(1)
}

func run(ctx context.Context, command string, args []string) error {
	switch command {
	case "sum":
		dir, err := migrate.NewLocalDir(args[0])
		if err != nil {
			return err
		}
		return printSum(dir)
	case "check":
		for _, path := range args {
			dir, err := migrate.NewLocalDir(path)
			if err != nil {
				return err
			}
			check(dir)
		}
		return nil
	case "golang-sum":
		dir, err := sqltool.NewGolangMigrateDir(args[0])
		if err != nil {
			return err
		}
		return printSum(dir)
	case "stmts":
		for _, path := range args {
			if err := statements(path); err != nil {
				return err
			}
		}
		return nil
	case "pending", "apply":
		return work(ctx, command, args)
	case "hold":
		return hold(ctx, args[0])
	}
	return fmt.Errorf("unknown command %q", command)
}

func printSum(dir migrate.Dir) error {
	sum, err := dir.Checksum()
	if err != nil {
		return err
	}
	text, err := sum.MarshalText()
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(text)
	return err
}

func check(dir migrate.Dir) {
	err := migrate.Validate(dir)
	var found *migrate.ChecksumError
	switch {
	case err == nil:
		fmt.Println("ok")
	case errors.As(err, &found):
		fmt.Printf("L%d: %s was %s\n", found.Line, found.File, found.Reason)
	default:
		fmt.Println(err)
	}
}

func statements(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	file := migrate.NewLocalFile(filepath.Base(path), content)
	found, err := new(postgres.Driver).ScanStmts(string(content))
	type statement struct {
		Text string
		Sum  string
	}
	told := struct {
		Statements []statement
		TxMode     []string
		Checkpoint bool
		Problem    string
	}{Statements: []statement{}, TxMode: file.Directive("txmode"), Checkpoint: file.IsCheckpoint()}
	if err != nil {
		told.Problem = err.Error()
	}
	digest := sha256.New()
	for _, each := range found {
		digest.Write([]byte(each.Text))
		sum := base64.StdEncoding.EncodeToString(digest.Sum(nil))
		told.Statements = append(told.Statements, statement{each.Text, sum})
	}
	return json.NewEncoder(os.Stdout).Encode(told)
}

func work(ctx context.Context, command string, args []string) error {
	db, err := sql.Open("postgres", args[0])
	if err != nil {
		return err
	}
	defer db.Close()
	dir, err := migrate.NewLocalDir(args[1])
	if err != nil {
		return err
	}
	order := map[string]migrate.ExecOrder{
		"linear":      migrate.ExecOrderLinear,
		"linear-skip": migrate.ExecOrderLinearSkip,
		"non-linear":  migrate.ExecOrderNonLinear,
	}[args[2]]
	driver, err := postgres.Open(db)
	if err != nil {
		return err
	}
	unlock, err := driver.(schema.Locker).Lock(ctx, lockName, 2*time.Second)
	if err != nil {
		return fmt.Errorf("acquiring database lock: %w", err)
	}
	defer unlock()
	if _, err := db.ExecContext(ctx, table); err != nil {
		return err
	}
	options := []migrate.ExecutorOption{
		migrate.WithExecOrder(order),
		migrate.WithAllowDirty(true),
		migrate.WithOperatorVersion("Atlas CLI library"),
	}
	executor, err := migrate.NewExecutor(driver, dir, &revisions{db}, options...)
	if err != nil {
		return err
	}
	pending, err := executor.Pending(ctx)
	if err != nil && !errors.Is(err, migrate.ErrNoPendingFiles) {
		return err
	}
	for _, file := range pending {
		if command == "pending" {
			fmt.Println(file.Name())
		} else if err := execute(ctx, db, dir, file, args[3], options); err != nil {
			return err
		}
	}
	return nil
}

// One transaction for each file, unless the mode or the file says otherwise: as the command does.
func execute(
	ctx context.Context, db *sql.DB, dir migrate.Dir, file migrate.File, mode string,
	options []migrate.ExecutorOption,
) error {
	if found := file.(*migrate.LocalFile).Directive("txmode"); len(found) == 1 {
		mode = found[0]
	}
	if mode == "none" {
		return executeOn(ctx, db, dir, file, options)
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := executeOn(ctx, tx, dir, file, options); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func executeOn(
	ctx context.Context, conn schema.ExecQuerier, dir migrate.Dir, file migrate.File,
	options []migrate.ExecutorOption,
) error {
	driver, err := postgres.Open(conn)
	if err != nil {
		return err
	}
	executor, err := migrate.NewExecutor(driver, dir, &revisions{conn}, options...)
	if err != nil {
		return err
	}
	return executor.Execute(ctx, file)
}

func hold(ctx context.Context, url string) error {
	db, err := sql.Open("postgres", url)
	if err != nil {
		return err
	}
	defer db.Close()
	driver, err := postgres.Open(db)
	if err != nil {
		return err
	}
	unlock, err := driver.(schema.Locker).Lock(ctx, lockName, 2*time.Second)
	if err != nil {
		return err
	}
	fmt.Println("held")
	if _, err := io.ReadAll(os.Stdin); err != nil {
		return err
	}
	return unlock()
}
