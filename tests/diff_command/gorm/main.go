// Prints what GORM would create, as docs/switching-from-auto-migrate.md has it.
package main

import (
	"context"
	"fmt"
	"time"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

type User struct {
	gorm.Model
	Email  string `gorm:"uniqueIndex;not null"`
	Name   string `gorm:"size:80;index:,where:deleted_at IS NULL"`
	Age    uint8
	Orders []Order
}

type Order struct {
	ID     uint
	UserID uint    `gorm:"index"`
	Total  float64 `gorm:"type:numeric(10,2);check:total >= 0;default:0"`
	Tags   []Tag   `gorm:"many2many:order_tags"`
}

type Tag struct {
	ID   uint
	Name string `gorm:"comment:as people see it"`
}

type printer struct{ logger.Interface }

func (printer) Trace(_ context.Context, _ time.Time, sql func() (string, int64), _ error) {
	statement, _ := sql()
	fmt.Println(statement + ";")
}

func main() {
	dialect := postgres.New(postgres.Config{DSN: "host=nowhere"})
	db, err := gorm.Open(dialect, &gorm.Config{
		DryRun: true, DisableAutomaticPing: true, Logger: printer{logger.Discard},
	})
	if err != nil {
		panic(err)
	}
	migrator := db.Migrator().(postgres.Migrator)
	models := migrator.ReorderModels([]interface{}{&User{}, &Order{}, &Tag{}}, true)
	if err := migrator.CreateTable(models...); err != nil {
		panic(err)
	}
}
