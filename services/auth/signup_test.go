package auth

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"gamehall/shared/authapi"
	"gamehall/shared/bus"
	"gamehall/shared/fault"
	"gamehall/shared/natstest"
	"gamehall/shared/storage"
	"gamehall/shared/storagetest"
)

func TestSignUp(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		before   []string // names that are taken
		username string
		password string // password if empty
		user     string // as answered
		code     fault.Code
	}{
		{name: "plain", username: "ann", user: "ann"},
		{name: "case", username: "ANN", user: "ann"},
		{name: "full width", username: "Ａｎｎ", user: "ann"},
		{name: "decomposed", username: "Rene\u0301", user: "ren\u00e9"},
		{name: "taken", before: []string{"ann"}, username: "ann", code: fault.UsernameTaken},
		{name: "taken in another case", before: []string{"ann"}, username: "aNN", code: fault.UsernameTaken},
		{name: "taken in another width", before: []string{"ann"}, username: "ａnn", code: fault.UsernameTaken},
		{name: "taken composed", before: []string{"rene\u0301"}, username: "ren\u00e9", code: fault.UsernameTaken},
		{name: "a look-alike", before: []string{"netease1"}, username: "neteasel", code: fault.UsernameTaken},
		{name: "a look-alike of two letters", before: []string{"sam"}, username: "sarn", code: fault.UsernameTaken},
		{name: "a look-alike of another script", before: []string{"cop"}, username: "сор", code: fault.UsernameTaken},
		{name: "beside another", before: []string{"ann"}, username: "anna", user: "anna"},
		{name: "system", username: "system", code: fault.BadUsername},
		{name: "looks like system", username: "SYSTEM1", user: "system1"},
		{name: "two characters", username: "an", code: fault.BadUsername},
		{name: "21 characters", username: strings.Repeat("a", 21), code: fault.BadUsername},
		{name: "a space", username: "an n", code: fault.BadUsername},
		{name: "a subject's tokens", username: "ann.>", code: fault.BadUsername},
		{name: "two scripts", username: "annа", code: fault.BadUsername},
		{name: "a short password", username: "ann", password: "sesam12", code: fault.BadPassword},
		{name: "a long password", username: "ann", password: strings.Repeat("x", 129), code: fault.BadPassword},
		{name: "no password", username: "ann", password: "-", code: fault.BadPassword},
		{name: "an escape in the password", username: "ann", password: "sesam\x1b[2J12", code: fault.BadPassword},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ns := natstest.Run(t)
			s := start(t, ns, nil)
			addAccounts(t, s, tt.before...)
			req := authapi.SignUpRequest{Username: tt.username, Password: tt.password}
			if req.Password == "" {
				req.Password = password
			}
			resp, err := authapi.SignUp.Call(natstest.Context(t), ns.Connect(t), req)
			wantCode(t, err, tt.code)
			if resp.User != tt.user {
				t.Errorf("user %q, want %q", resp.User, tt.user)
			}
			if tt.code == fault.UsernameTaken && err.Error() != "the username exists, please choose another one" {
				t.Errorf("said %q", err)
			}
			if tt.code != "" && s.hasher.made.Load() != uint64(len(tt.before)) {
				t.Error("a refused sign-up was hashed")
			}
		})
	}
}

// The same command on another copy, which remembers no answer, is the same sign-up; another
// command is not.
func TestSignUpAgain(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, d storagetest.Database) {
		ns := natstest.Run(t)
		nc := ns.Connect(t)
		ctx := bus.WithCommand(natstest.Context(t), "command-1")
		req := authapi.SignUpRequest{Username: "ann", Password: password}
		for life := range 2 {
			s, err := Start(ctx, Config{NATS: ns.Dialer(), DB: d.DB, Data: d.Data, PasswordHash: cheap, Log: natstest.Quiet()})
			if err != nil {
				t.Fatal(err)
			}
			if resp, err := authapi.SignUp.Call(ctx, nc, req); err != nil || resp.User != "ann" {
				t.Errorf("life %d: %+v, %v", life, resp, err)
			}
			_, err = authapi.SignUp.Call(bus.WithCommand(ctx, "command-2"), nc, req)
			wantCode(t, err, fault.UsernameTaken)
			if life == 1 {
				// Long after, the same id is no repetition any more.
				old := time.Now().UTC().Add(-bus.AnswersKept)
				if err := s.accounts.db.Model(&account{}).Where("1 = 1").Update("created_at", old).Error; err != nil {
					t.Fatal(err)
				}
				made, err := s.made(ctx, newAccount("ann", "command-1"))
				if made {
					t.Error("an old command made the account again")
				}
				wantCode(t, err, fault.UsernameTaken)
			}
			if err := s.Stop(ctx); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// 200 sign-ups of one name in all its spellings and looks, on two copies with one database.
func TestSignUpRace(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, d storagetest.Database) {
		ns := natstest.Run(t)
		first, second := start(t, ns, on(d)), start(t, ns, on(d))
		nc := ns.Connect(t)
		spellings := []string{
			"rené1", "RENÉ1", "René1", "rene\u03011", "RENE\u03011", "ｒｅｎé１", "ＲＥＮÉ1", "ｒene\u03011",
			"renél", "RENÉL", "rene\u0301l", // look-alikes: 1 and l
		}
		const racers = 200
		errs := make([]error, racers)
		var all sync.WaitGroup
		for i := range racers {
			all.Go(func() {
				_, errs[i] = authapi.SignUp.Call(natstest.Context(t), nc, authapi.SignUpRequest{
					Username: spellings[i%len(spellings)], Password: fmt.Sprintf("password %d", i), Trusted: true,
				})
			})
		}
		all.Wait()
		won := -1
		for i, err := range errs {
			switch fault.CodeOf(err) {
			case "":
				if won >= 0 {
					t.Errorf("both %q and %q won", spellings[won%len(spellings)], spellings[i%len(spellings)])
				}
				won = i
			case fault.UsernameTaken:
			default:
				t.Errorf("%q: %v", spellings[i%len(spellings)], err)
			}
		}
		if won < 0 {
			t.Fatal("nobody won")
		}
		var rows []account
		if err := first.accounts.db.Find(&rows).Error; err != nil || len(rows) != 1 {
			t.Errorf("%d accounts, %v", len(rows), err)
		}
		if _, err := authapi.SignIn.Call(natstest.Context(t), nc, authapi.SignInRequest{
			Username: spellings[won%len(spellings)], Password: fmt.Sprintf("password %d", won), Edge: "e1", Conn: "c1",
		}); err != nil {
			t.Errorf("the winner's password: %v", err)
		}
		served := func(s *Service) uint64 { return s.hasher.made.Load() }
		t.Logf("hashed %d and %d", served(first), served(second))
	})
}

// A SQLite database that somebody else has locked, or that may not grow, makes sign-up unavailable
// and leaves sign-in as it is.
func TestSignUpWithoutSpace(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*testing.T, *Service, string){
		"locked": func(t *testing.T, _ *Service, path string) {
			t.Helper()
			other, err := storage.Open(t.Context(), path, migrations)
			if err != nil {
				t.Fatal(err)
			}
			tx := other.WithContext(t.Context()).Begin() // takes the write lock
			if tx.Error != nil {
				t.Fatal(tx.Error)
			}
			t.Cleanup(func() {
				tx.Rollback()
				if err := other.Close(); err != nil {
					t.Error(err)
				}
			})
		},
		"full": func(t *testing.T, s *Service, _ string) {
			t.Helper()
			if err := s.accounts.db.Exec("PRAGMA max_page_count = 1").Error; err != nil {
				t.Fatal(err)
			}
			// Up to the last bytes of the last page.
			for _, size := range []int{1000, 1} {
				for i := 0; ; i++ {
					u := newAccount(fmt.Sprintf("filler%d.%d", size, i), "filler")
					u.Hash = strings.Repeat("x", size)
					if err := s.accounts.create(t.Context(), u); storage.IsFull(err) {
						break
					} else if err != nil {
						t.Fatal(err)
					}
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ns := natstest.Run(t)
			data := t.TempDir()
			s := start(t, ns, func(c *Config) { c.Data = data })
			addAccounts(t, s, "ann")
			spoil(t, s, filepath.Join(data, "auth.db"))
			nc := ns.Connect(t)
			_, err := authapi.SignUp.Call(natstest.Context(t), nc, authapi.SignUpRequest{Username: "bob" + strings.Repeat("x", 17), Password: password},
				bus.Attempt(natstest.Wait)) // SQLite waits 2 s for a lock
			wantCode(t, err, fault.Unavailable)
			if err == nil || err.Error() != "sign-up is temporarily unavailable, please try again" {
				t.Errorf("said %v", err)
			}
			mustSignIn(t, nc, signInReq("ann", "e1", "c1"))
		})
	}
}

// The table that the migration makes is the one that the struct means.
func TestMigrationFitsAccount(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, d storagetest.Database) {
		db, err := storage.Open(t.Context(), d.At(t, "auth"), migrations)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		stmt := &gorm.Statement{DB: db.DB}
		if err := stmt.Parse(&account{}); err != nil {
			t.Fatal(err)
		}
		columns, err := db.Migrator().ColumnTypes(&account{})
		if err != nil {
			t.Fatal(err)
		}
		have := map[string]bool{}
		for _, c := range columns {
			have[c.Name()] = true
		}
		for _, f := range stmt.Schema.Fields {
			if !have[f.DBName] {
				t.Errorf("the table has no column %s", f.DBName)
			}
			delete(have, f.DBName)
		}
		if len(have) > 0 {
			t.Errorf("columns that no field has: %v", have)
		}
	})
}
