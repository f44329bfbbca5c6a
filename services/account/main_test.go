package account

import (
	"os"
	"testing"

	"gamehall/shared/storagetest"
)

func TestMain(m *testing.M) { os.Exit(storagetest.Main(m).Run()) }
