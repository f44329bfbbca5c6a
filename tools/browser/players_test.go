//go:build browser

package browser

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/chromedp"

	"gamehall/services/game21"
)

// TestPlayers is an evening in the hall: two players who talk, meet in a room, whisper, play
// a round, lose their connection, and lose the hall.
func TestPlayers(t *testing.T) {
	t.Parallel()
	h := startHall(t, "--rate", "0", "--game21-first", "20s", "--game21-duration", "10m", "--game21-solvable", "--no-demo-accounts")
	browser := startBrowser(t)
	ann, bob := open(t, browser, h.url, "ann"), open(t, browser, h.url, "bob")

	// Signing up signs in.
	for _, tb := range []*tab{ann, bob} {
		tb.click("#gate-form label:has([value=up])")
		tb.signIn(tb.name, "secret-"+tb.name)
	}
	ann.sees("#people-list .name", "bob")
	bob.sees("#people-list .name", "ann")

	talk(t, ann, bob)
	whisper(ann, bob)
	room(ann, bob)
	round(t, ann, bob)
	for _, tb := range []*tab{ann, bob} {
		tb.named()
	}
	reload(t, ann, bob)
	// Answers do not arrive and the connection breaks: the lines are in the lobby all the same.
	cleo := dial(t, h.tcp, "/SIGNUP cleo secret-cleo", "/SIGNIN cleo secret-cleo")
	cleo.hears("welcome, cleo")
	breaks(t, "cut", h.proxy.mute, func(round int) {
		cleo.hears(fmt.Sprintf("ann: ann before cut %d", round), fmt.Sprintf("bob: bob before cut %d", round))
		h.proxy.cut()
	}, h.proxy.mend, ann, bob)
	// The hall is stopped, in the midst of what is said, and started again.
	breaks(t, "stop", func() {}, func(int) { h.stop() }, h.start, ann, bob)

	// A token that is worth nothing leads back to the gate, and nothing that was said is lost.
	said := ann.said()
	ann.run("spoil the token", chromedp.Evaluate(`sessionStorage.setItem('hall.token', '"spoilt"')`, nil), chromedp.Reload())
	ann.sees("#gate-why", "Your session is over. Please sign in again.")
	ann.fill("#gate-form [name=username]", "ann")
	ann.fill("#gate-form [name=password]", "secret-ann\r")
	ann.until(`!document.querySelector('#hall').hidden || !document.querySelector('#gate-takeover').hidden`)
	if eval[bool](ann, `document.querySelector('#hall').hidden`) {
		ann.click("#gate-takeover") // the session that the tab forgot may still stand
	}
	ann.sees("#lines .text", said[len(said)-1])
	if now := ann.said(); !slices.Equal(now, said[len(said)-len(now):]) {
		t.Errorf("signed in again ann reads %q, before that %q", now, said)
	}
	ann.say("I am back")
	bob.sees("#lines .text", "I am back")

	// Signing out ends it for both the page and the hall.
	bob.click("#you-open")
	bob.seesPart("#you-time", "You have been online for")
	bob.click("#sign-out")
	bob.until(`!document.querySelector('#gate').hidden && sessionStorage.length === 0`)
	ann.seesPart("#lines .presence", "bob left")
}

// talk: both say something, and a line that looks like markup is text.
func talk(t *testing.T, ann, bob *tab) {
	t.Helper()
	ann.say("hello")
	bob.sees("#lines .text", "hello")
	const markup = `<script>window.ran = 1</script><img src=x onerror="window.ran = 1"><b>bold</b> javascript:alert(1)`
	bob.say(markup)
	for _, tb := range []*tab{ann, bob} {
		tb.sees("#lines .text", markup)
		if eval[bool](tb, `'ran' in window || document.querySelector('#lines :is(script, img, b, a)') !== null`) {
			t.Errorf("%s: what bob typed became markup", tb.name)
		}
	}
	ann.say("/passwrod secret secret2")
	ann.seesPart("#line-note", "There is no command /passwrod")
	ann.fill("#line", "")
	ann.say("//roll")
	for _, tb := range []*tab{ann, bob} {
		tb.sees("#lines .text", "/roll")
		want := []string{"hello", markup, "/roll"}
		if got := tb.said(); !slices.Equal(got, want) {
			t.Errorf("%s reads %q, want %q", tb.name, got, want)
		}
	}
}

// whisper: a place per partner, with a count of what is unread.
func whisper(ann, bob *tab) {
	ann.click(`#people-list [data-key="bob"]`)
	ann.sees("#talk-title", "bob")
	ann.say("between us")
	ann.sees("#lines .text", "between us")
	ann.say("only us")
	bob.seesPart(`#whisper-list [data-key="whisper:ann"] .badge`, "2")
	bob.until(`document.title.startsWith('(2)')`)
	bob.click(`#whisper-list [data-key="whisper:ann"]`)
	bob.sees("#lines .text", "only us")
	bob.until(`document.querySelector('#whisper-list .badge') === null`)
	bob.say("yes")
	ann.sees("#lines .text", "yes")
	ann.say("/w nobody hello")
	ann.seesPart("#sending .error", "offline")
	ann.click("#sending .quiet")
	ann.fill("#line", "")
	ann.click("#talk-leave")
	for _, tb := range []*tab{ann, bob} {
		tb.click(`[data-key="lobby"]`)
	}
}

// room: made by one, joined by the other, left again.
func room(ann, bob *tab) {
	ann.fill("#room-form [name=room]", "Chess Club\r")
	ann.sees("#talk-title", "Chess Club")
	bob.say("/rooms")
	bob.click(`#room-list [data-key="Chess Club"]`)
	bob.sees("#talk-title", "Chess Club")
	ann.seesPart("#lines .presence", "bob joined")
	ann.sees("#members-title", "In Chess Club · 2")
	bob.say("e4")
	ann.sees("#lines .text", "e4")
	ann.say("e5")
	bob.sees("#lines .text", "e5")
	bob.say("/createroom Chess Club")
	bob.seesPart("#lines .note", "exists")
	bob.click("#talk-leave")
	bob.sees("#talk-title", "Lobby")
	ann.seesPart("#lines .presence", "bob left")
	ann.click(`[data-key="lobby"]`)
}

// round: numbers are told, a wrong answer says what is wrong, the right one wins.
func round(t *testing.T, ann, bob *tab) {
	t.Helper()
	ann.until(`!document.querySelector('#game-round').hidden`)
	bob.until(`!document.querySelector('#game-round').hidden`)
	texts := eval[[]string](ann, `[...document.querySelectorAll('#tiles .tile')].map((n) => n.textContent)`)
	var numbers game21.Numbers
	if len(texts) != len(numbers) {
		t.Fatalf("ann sees the numbers %q", texts)
	}
	for i, text := range texts {
		var err error
		if numbers[i], err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	if left := eval[string](ann, `document.querySelector('#game-timer').textContent`); !strings.Contains(left, ":") {
		t.Errorf("the countdown says %q", left)
	}
	ann.fill("#expression", "1+1\r")
	ann.until(`document.querySelector('#game-note').classList.contains('error')`)
	// One answers with the tiles, as on a phone, and not with 21.
	ann.fill("#expression", "")
	for i := range numbers {
		if i > 0 {
			ann.click(`#signs [aria-label="minus"]`)
		}
		ann.click(fmt.Sprintf("#tiles .tile:nth-child(%d)", i+1))
	}
	ann.until(`document.querySelectorAll('#tiles .used').length === 4`)
	ann.click("#game-form [type=submit]")
	ann.seesPart("#game-note", "It counts.")
	bob.sees("#game-answered", "ann answered")

	best := game21.Best(numbers)
	bob.fill("#expression", best.Expression+"\r")
	for _, tb := range []*tab{ann, bob} {
		tb.seesPart("#game-text", "bob wins with "+best.Expression+" = 21")
		tb.seesPart("#lines .round", "bob wins")
	}
	ann.click("#game-scores summary")
	ann.sees("#score-list .name", "bob")
	// When the next one starts is asked once somebody moves.
	ann.run("move", chromedp.MouseEvent("mouseMoved", 300, 300))
	ann.until(`(dispatchEvent(new Event('pointermove')), document.querySelector('#game-timer').textContent.startsWith('next in'))`)
}

// reload: the page comes back to the same session, and shows what it showed.
func reload(t *testing.T, ann, bob *tab) {
	t.Helper()
	before := ann.said()
	ann.run("reload", chromedp.Reload())
	ann.until(`document.querySelector('#link').dataset.state === 'online'`)
	ann.sees("#lines .text", before[len(before)-1])
	ann.until(fmt.Sprintf(`document.querySelectorAll('#lines .said').length === %d`, len(before)))
	if after := ann.said(); !slices.Equal(after, before) {
		t.Errorf("after a reload ann reads %q, before it %q", after, before)
	}
	ann.sees("#place-list bdi", "Chess Club")
	ann.click(`[data-key="Chess Club"]`)
	ann.sees("#lines .text", "e5")
	ann.click(`[data-key="lobby"]`)
	if left := eval[bool](bob, `[...document.querySelectorAll('#lines .presence')].some((n) => n.textContent.includes('ann left'))`); left {
		t.Error("the hall was told that ann left, when the page was loaded again")
	}
}

// breaks: connections break, because the network or the hall does, in the midst of what is
// said; both tabs come back by themselves, and nothing is lost or doubled.
func breaks(t *testing.T, what string, before func(), down func(round int), up func(), ann, bob *tab) {
	t.Helper()
	both := []*tab{ann, bob}
	want := ann.said()
	for round := range 2 {
		before()
		for _, tb := range both {
			tb.losing(true)
			// Each says a line that may be on its way when the connection breaks.
			line := fmt.Sprintf("%s before %s %d", tb.name, what, round)
			tb.say(line)
			want = append(want, line)
		}
		down(round)
		for _, tb := range both {
			tb.until(`document.querySelector('#link').dataset.state !== 'online'`)
			line := fmt.Sprintf("%s after %s %d", tb.name, what, round)
			tb.say(line)
			want = append(want, line)
		}
		up()
		for _, tb := range both {
			tb.until(`document.querySelector('#link').dataset.state === 'online'`)
			tb.until(`document.querySelector('#sending').childElementCount === 0`)
			tb.losing(false)
		}
	}
	last := "nothing is missing after each " + what
	ann.say(last)
	want = append(want, last)
	slices.Sort(want)
	for _, tb := range both {
		tb.sees("#lines .text", last)
		got := tb.said()
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s reads %q, want each once: %q", tb.name, got, want)
		}
	}
	if a, b := ann.said(), bob.said(); !slices.Equal(a, b) {
		t.Errorf("ann reads %q, bob reads %q, want the same order", a, b)
	}
	for _, tb := range both {
		if eval[bool](tb, `[...document.querySelectorAll('#lines .presence')].some((n) => /(ann|bob) left/.test(n.textContent))`) {
			t.Errorf("%s was told that somebody left, and everybody came back in time", tb.name)
		}
	}
}

// named asserts that whatever can be focused has a name for who does not see it.
func (tb *tab) named() {
	tb.t.Helper()
	var nodes []*accessibility.Node
	tb.run("read the accessibility tree", chromedp.ActionFunc(func(ctx context.Context) (err error) {
		nodes, err = accessibility.GetFullAXTree().Do(ctx)
		return err
	}))
	controls := 0
	for _, n := range nodes {
		if n.Ignored || n.Role == nil {
			continue
		}
		switch role := strings.Trim(string(n.Role.Value), `"`); role {
		case "button", "textbox", "searchbox", "checkbox", "radio", "link", "log", "dialog", "DisclosureTriangle":
			controls++
			if n.Name == nil || strings.Trim(string(n.Name.Value), `"`) == "" {
				tb.t.Errorf("%s: a %s has no name (node %d)", tb.name, role, n.BackendDOMNodeID)
			}
		}
	}
	if controls < 8 {
		tb.t.Errorf("%s: only %d controls were looked at", tb.name, controls)
	}
}

// TestElsewhere: a player signs in a second time. The first page is told, and does not come
// back by itself.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	h := startHall(t)
	browser := startBrowser(t)
	first := open(t, browser, h.url, "first")
	first.signIn("netease1", "123")
	first.say("I am here")
	first.sees("#lines .text", "I am here")

	second := open(t, browser, h.url, "second")
	second.fill("#gate-form [name=username]", "netease1")
	second.fill("#gate-form [name=password]", "wrong\r")
	second.sees("#gate-error", "Wrong account or password.")
	second.fill("#gate-form [name=password]", "123\r")
	second.sees("#gate-error", "netease1 is signed in somewhere else already.")
	second.click("#gate-takeover")
	second.sees("#you-name", "netease1")
	second.sees("#lines .text", "I am here")

	first.sees("#banner-text", "You signed in somewhere else, so this window was let go.")
	second.say("now I am here")
	second.sees("#lines .text", "now I am here")
	if got := first.said(); !slices.Equal(got, []string{"I am here"}) {
		t.Errorf("the first page still reads %q", got)
	}
	first.click("#banner-act")
	first.sees("#gate-why", "Your session is over. Please sign in again.")
	second.say("still here")
	second.sees("#lines .text", "still here")
}

// TestIdle: who is away for too long is told so, and comes back with a click, not by itself.
func TestIdle(t *testing.T) {
	t.Parallel()
	h := startHall(t, "--away-after", "1s", "--idle-after", "1s")
	page := open(t, startBrowser(t), h.url, "idle")
	page.signIn("netease1", "123")
	page.sees("#banner-text", "You were away for a long time, so the hall closed the door.")
	if state := eval[string](page, `document.querySelector('#link').dataset.state`); state != "stopped" {
		t.Errorf("the connection is %s", state)
	}
	page.click("#banner-act")
	page.until(`!document.querySelector('#gate').hidden || document.querySelector('#link').dataset.state === 'online'`)
}

// TestSilence: a connection that says nothing any more is dead after 30 seconds, and not one
// on which only heartbeats pass.
func TestSilence(t *testing.T) {
	t.Parallel()
	h := startHall(t)
	browser := startBrowser(t)
	broken := startProxy(t)
	broken.to(h.proxy.target)
	quiet := open(t, browser, h.url, "quiet")
	quiet.signIn("netease1", "123")
	silent := open(t, browser, "http://"+broken.addr(), "silent")
	silent.signIn("netease2", "123")
	quiet.seesPart("#people-list .name", "netease2")

	silent.losing(true)
	broken.freeze()
	const dead = `document.querySelector('#link').dataset.state !== 'online'`
	begun := time.Now()
	silent.untilWithin(dead, 45*time.Second)
	if took := time.Since(begun); took < 20*time.Second {
		t.Errorf("given up after %v", took)
	}
	broken.mend()
	silent.until(`document.querySelector('#link').dataset.state === 'online'`)
	silent.say("here I am again")
	quiet.sees("#lines .text", "here I am again")
	if eval[bool](quiet, `document.querySelector('#link').dataset.state !== 'online' || document.querySelector('#lines .presence').textContent.includes('netease2 left')`) {
		t.Error("the quiet page lost its connection, or was told that netease2 left")
	}
}

// TestHistory: what was said before comes when one scrolls up, each line once, in order.
func TestHistory(t *testing.T) {
	t.Parallel()
	h := startHall(t, "--rate", "0")
	const lines = 180
	var want []string
	for i := range lines {
		want = append(want, fmt.Sprintf("line %d", i))
	}
	writer := dial(t, h.tcp, append([]string{"/SIGNIN netease1 123"}, want...)...)
	writer.hears("netease1: " + want[lines-1])
	reader := open(t, startBrowser(t), h.url, "reader")
	reader.signIn("netease2", "123")
	reader.sees("#lines .text", want[lines-1])
	if got := reader.said(); len(got) > 60 || !slices.Equal(got, want[lines-len(got):]) {
		t.Fatalf("at first %d lines are there: %q", len(got), got)
	}
	if eval[float64](reader, `(({scrollHeight, scrollTop, clientHeight}) => scrollHeight - scrollTop - clientHeight)(document.querySelector('#log'))`) > 2 {
		t.Error("the newest line is not in sight")
	}
	for len(reader.said()) < lines {
		had := len(reader.said())
		reader.run("scroll up", chromedp.Evaluate(`document.querySelector('#log').scrollTop = 0`, nil))
		reader.until(fmt.Sprintf(`document.querySelectorAll('#lines .said').length > %d`, had))
		// What was read has not moved away.
		if top := eval[float64](reader, `document.querySelector('#log').scrollTop`); top < 100 {
			t.Errorf("older lines pushed away what was read: scrolled to %v", top)
		}
	}
	if got := reader.said(); !slices.Equal(got, want) {
		t.Errorf("it reads %q, want %q", got, want)
	}
	reader.say("/history 100")
	reader.until(`Math.abs([...document.querySelectorAll('#lines [data-seq]')].at(-100).getBoundingClientRect().top - document.querySelector('#log').getBoundingClientRect().top) < 40`)
	reader.say("/help")
	reader.until(`document.querySelector('#lines .note').innerText.split('\n').includes('/PASSWD old new - change your password')`)
	reader.say("/ping")
	reader.seesPart("#lines .note", "The hall is there,")
	reader.say("/passwd 123 123456")
	reader.sees("#lines .note", "Your password is changed.")
	// Who reads old lines is not torn away by a new one.
	reader.run("scroll up", chromedp.Evaluate(`document.querySelector('#log').scrollTop = 300`, nil))
	writer.says("something new")
	reader.sees("#newer", "1 new line ↓")
	reader.click("#newer")
	reader.until(`document.querySelector('#newer').hidden`)
}

// TestFocus: who comes in can write at once, and nobody is torn away from where they are.
func TestFocus(t *testing.T) {
	t.Parallel()
	h := startHall(t)
	page := open(t, startBrowser(t), h.url, "focus")
	const focus = `document.activeElement.id`
	page.signIn("netease1", "123")
	if got := eval[string](page, focus); got != "line" {
		t.Errorf("after signing in the focus is at %q", got)
	}
	page.run("reload", chromedp.Reload())
	page.sees("#you-name", "netease1")
	page.until(`document.querySelector('#link').dataset.state === 'online'`)
	if got := eval[string](page, focus); got != "line" {
		t.Errorf("after a reload the focus is at %q", got)
	}
	// A connection that comes back is no reason to move it.
	page.fill("#room-form [name=room]", "half a na")
	page.losing(true)
	h.proxy.cut()
	page.until(`document.querySelector('#link').dataset.state !== 'online'`)
	h.proxy.mend()
	page.until(`document.querySelector('#link').dataset.state === 'online'`)
	page.losing(false)
	if got := eval[string](page, `document.activeElement.name`); got != "room" {
		t.Errorf("after the connection came back the focus is at %q", got)
	}
}

// TestAnswerWaits: an answer to a round that cannot get through says so, and counts when it
// does; when the round is over nobody is judging any more.
func TestAnswerWaits(t *testing.T) {
	t.Parallel()
	h := startHall(t, "--game21-first", "1s", "--game21-duration", "25s", "--game21-period", "1h")
	page := open(t, startBrowser(t), h.url, "waits")
	page.signIn("netease1", "123")
	page.until(`!document.querySelector('#game-round').hidden`)
	if cut := eval[string](page, `(() => {
		const input = document.querySelector('#expression');
		const pen = document.createElement('canvas').getContext('2d');
		pen.font = getComputedStyle(input, '::placeholder').font;
		const style = getComputedStyle(input);
		const room = input.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
		const width = pen.measureText(input.placeholder).width;
		return width > 0 && width <= room ? '' : width + ' px in ' + room;
	})()`); cut != "" {
		t.Errorf("the hint in the answer's box is cut off: %s", cut)
	}
	page.fill("#expression", eval[string](page, `[...document.querySelectorAll('.tile')].map((n) => n.textContent).join('-')`))
	h.proxy.mute()
	page.click("#game-form [type=submit]")
	page.seesPart("#game-note", "Your answer waits for the hall.")
	h.proxy.mend()
	page.seesPart("#game-note", "It counts.")
	page.seesPart("#game-text", "netease1 wins with")
	page.until(`document.querySelector('#game-timer').textContent !== 'judging'`)
}

// TestPhone: on a narrow screen every part can be reached, and nothing is wider than it.
func TestPhone(t *testing.T) {
	t.Parallel()
	h := startHall(t, "--game21-first", "2s", "--game21-duration", "10m")
	phone := open(t, startBrowser(t), h.url, "phone")
	phone.screen(360, 740, "light", true)
	narrow := func(where string) {
		t.Helper()
		if width := eval[int](phone, `document.documentElement.scrollWidth`); width > 360 {
			t.Errorf("%s is %d px wide on a screen of 360", where, width)
		}
	}
	phone.until(`!document.querySelector('#gate').hidden`)
	narrow("the gate")
	phone.signIn("netease1", "123")
	phone.say(strings.Repeat("averylongwordwithoutanyspace", 8))
	phone.until(`document.querySelector('#lines .text') !== null`)
	phone.until(`!document.querySelector('#game-round').hidden`)
	for _, part := range []string{"talk", "game", "people", "places"} {
		phone.click(`#tabs [data-tab="` + part + `"]`)
		phone.until(fmt.Sprintf(`['talk', 'game', 'people', 'places'].every((id) => document.getElementById(id).checkVisibility() === (id === %q))`, part))
		narrow(part)
	}
}

// TestPictures takes the pictures that README shows, if SCREENSHOTS names a folder for them.
// A round that is always open, names and lines that are always the same: two runs look alike.
func TestPictures(t *testing.T) {
	t.Parallel()
	folder := os.Getenv("SCREENSHOTS")
	if folder == "" {
		folder = t.TempDir()
	}
	h := startHall(t, "--rate", "0", "--game21-first", "1s", "--game21-duration", "2m", "--game21-solvable", "--no-demo-accounts")
	browser := startBrowser(t)
	ann, bob, cleo := open(t, browser, h.url, "ann"), open(t, browser, h.url, "bob"), open(t, browser, h.url, "cleo")
	for _, tb := range []*tab{ann, bob, cleo} {
		tb.screen(1280, 800, "light", false)
		tb.click("#gate-form label:has([value=up])")
		tb.signIn(tb.name, "secret-"+tb.name)
	}
	cleo.say("/createroom Chess Club")
	cleo.sees("#talk-title", "Chess Club")
	for _, said := range []struct {
		who  *tab
		text string
	}{
		{bob, "good evening, everybody"},
		{ann, "hello bob! the four numbers are out already"},
		{ann, "I have 20 so far, which is not 21"},
		{bob, "don't tell me how"},
		{ann, "would I ever? whoever is first wins"},
		{bob, "there is a chess room too, if you lose"},
	} {
		said.who.say(said.text)
		for _, tb := range []*tab{ann, bob} {
			tb.sees("#lines .text", said.text)
		}
	}
	cleo.say("/w ann come to the chess room, I have white")
	ann.seesPart("#whisper-list .badge", "1")
	ann.until(`!document.querySelector('#game-round').hidden`)
	ann.say("/rooms")
	ann.seesPart("#room-list", "Chess Club")
	ann.fill("#expression", eval[string](ann, `'(' + [...document.querySelectorAll('.tile')].slice(0, 3).map((n) => n.textContent).join(' + ') + ')'`))
	ann.run("take the mouse away", chromedp.MouseEvent("mouseMoved", 640, 30))
	for _, picture := range []struct {
		name          string
		width, height int64
		theme         string
		phone         bool
		tab           string
	}{
		{"hall-light", 1280, 800, "light", false, "talk"},
		{"hall-dark", 1280, 800, "dark", false, "talk"},
		{"hall-phone", 360, 740, "light", true, "talk"},
		{"phone-game", 360, 740, "dark", true, "game"},
		{"phone-places", 360, 740, "light", true, "places"},
		{"phone-people", 360, 740, "dark", true, "people"},
	} {
		ann.screen(picture.width, picture.height, picture.theme, picture.phone)
		ann.run("turn to "+picture.tab, chromedp.Evaluate(fmt.Sprintf(`document.querySelector('#tabs [data-tab=%s]').click()`, picture.tab), nil))
		ann.until(fmt.Sprintf(`innerWidth === %d && (document.querySelector('#log').scrollTop = 1e6) > 0`, picture.width))
		png := ann.shoot()
		if len(png) < 5_000 || len(png) > 150_000 {
			t.Errorf("%s has %d bytes", picture.name, len(png))
		}
		if err := os.WriteFile(filepath.Join(folder, picture.name+".png"), png, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	gate := open(t, browser, h.url, "gate")
	for _, theme := range []string{"light", "dark"} {
		gate.screen(360, 740, theme, true)
		gate.until(`!document.querySelector('#gate').hidden`)
		if err := os.WriteFile(filepath.Join(folder, "gate-"+theme+".png"), gate.shoot(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
