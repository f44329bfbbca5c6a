//go:build browser

package browser

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// chromium is a browser without a screen.
type chromium struct{ ctx context.Context }

// startBrowser starts a browser. It ends with the test.
func startBrowser(t *testing.T) chromium {
	t.Helper()
	path := os.Getenv("CHROMIUM")
	if path == "" {
		path = "/usr/bin/chromium"
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("no browser: %v: apt-get install chromium, or name one with CHROMIUM", err)
	}
	profile, err := os.MkdirTemp("", "hall-chromium-") //nolint:usetesting // the browser may still write to it when TempDir is removed
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(profile) })
	alloc, cancel := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()),
		chromedp.ExecPath(path), chromedp.UserDataDir(profile), chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
		chromedp.NoSandbox, // a container's root has none
		chromedp.Flag("headless", true), chromedp.DisableGPU, chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("disable-breakpad", true),
		chromedp.WSURLReadTimeout(patience),
	)
	t.Cleanup(cancel)
	browser, quit := chromedp.NewContext(alloc)
	t.Cleanup(quit)
	if err := chromedp.Run(browser); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	return chromium{browser}
}

// tab is a page of its own, with storage of its own.
type tab struct {
	t    *testing.T
	name string
	ctx  context.Context
	url  string

	mu       sync.Mutex
	wrong    []string // errors, violations of the policy, requests elsewhere
	lossy    bool     // connections are being cut: that they fail is no error
	requests int
}

// open opens the hall in a tab, with a window of its own: a tab behind another one is hidden,
// and its player sees nothing.
func open(t *testing.T, browser chromium, url, name string) *tab {
	t.Helper()
	started, cancel := context.WithTimeout(browser.ctx, patience)
	defer cancel()
	var id target.ID
	if err := chromedp.Run(started, chromedp.ActionFunc(func(ctx context.Context) error {
		ctx = cdp.WithExecutor(ctx, chromedp.FromContext(ctx).Browser)
		profile, err := target.CreateBrowserContext().Do(ctx)
		if err != nil {
			return err
		}
		id, err = target.CreateTarget("about:blank").WithBrowserContextID(profile).WithNewWindow(true).Do(ctx)
		return err
	})); err != nil {
		t.Fatalf("open a window: %v", err)
	}
	ctx, cancel := chromedp.NewContext(browser.ctx, chromedp.WithTargetID(id))
	t.Cleanup(cancel)
	tb := &tab{t: t, name: name, ctx: ctx, url: url}
	chromedp.ListenTarget(ctx, tb.listen)
	t.Cleanup(tb.check)
	// The tab lives as long as the context of its first Run, so that one has no deadline.
	if err := chromedp.Run(ctx); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	tb.run("open "+url, log.Enable(), network.Enable(), chromedp.EmulateViewport(1280, 800), chromedp.Navigate(url+"/"))
	return tb
}

// listen notes what a page must not do.
func (tb *tab) listen(ev any) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	switch ev := ev.(type) {
	case *runtime.EventExceptionThrown:
		tb.wrong = append(tb.wrong, "exception: "+ev.ExceptionDetails.Error())
	case *runtime.EventConsoleAPICalled:
		if ev.Type == runtime.APITypeError || ev.Type == runtime.APITypeWarning {
			var words []string
			for _, arg := range ev.Args {
				words = append(words, string(arg.Value))
			}
			tb.wrong = append(tb.wrong, fmt.Sprintf("console: %s", words))
		}
	case *log.EventEntryAdded:
		ofNetwork := ev.Entry.Source == log.SourceNetwork || strings.HasPrefix(ev.Entry.Text, "WebSocket connection")
		if ev.Entry.Level == log.LevelError && (!tb.lossy || !ofNetwork) {
			tb.wrong = append(tb.wrong, fmt.Sprintf("log, %s: %s", ev.Entry.Source, ev.Entry.Text))
		}
	case *network.EventRequestWillBeSent:
		tb.requests++
		if !strings.HasPrefix(ev.Request.URL, tb.url+"/") {
			tb.wrong = append(tb.wrong, "request to "+ev.Request.URL)
		}
	}
}

// check reports what went wrong in the page.
func (tb *tab) check() {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	for _, w := range tb.wrong {
		tb.t.Errorf("%s: %s", tb.name, w)
	}
	if tb.requests < 5 {
		tb.t.Errorf("%s: only %d requests were seen, so nothing was watched", tb.name, tb.requests)
	}
}

func (tb *tab) losing(on bool) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	tb.lossy = on
}

// run does something in the page.
func (tb *tab) run(what string, actions ...chromedp.Action) {
	tb.t.Helper()
	tb.runWithin(patience, what, actions...)
}

func (tb *tab) runWithin(within time.Duration, what string, actions ...chromedp.Action) {
	tb.t.Helper()
	ctx, cancel := context.WithTimeout(tb.ctx, within)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		tb.t.Fatalf("%s: %s: %v\nthe page shows:\n%s", tb.name, what, err, tb.text())
	}
}

// text is all that the page shows.
func (tb *tab) text() string {
	ctx, cancel := context.WithTimeout(tb.ctx, patience)
	defer cancel()
	var text string
	if err := chromedp.Run(ctx, chromedp.Evaluate(`document.body.innerText`, &text)); err != nil {
		return err.Error()
	}
	return text
}

// fill writes into an input as a player would, and click clicks.
func (tb *tab) fill(selector, text string) {
	tb.t.Helper()
	tb.run("fill "+selector, chromedp.WaitVisible(selector, chromedp.ByQuery), chromedp.Evaluate(fmt.Sprintf(`(() => {
		const input = document.querySelector(%s);
		input.value = '';
		input.dispatchEvent(new Event('input', {bubbles: true}));
	})()`, strconv.Quote(selector)), nil), chromedp.SendKeys(selector, text, chromedp.ByQuery))
}

func (tb *tab) click(selector string) {
	tb.t.Helper()
	tb.run("click "+selector, chromedp.Click(selector, chromedp.ByQuery, chromedp.NodeVisible, chromedp.NodeEnabled))
}

// say writes a line and sends it with Enter.
func (tb *tab) say(text string) {
	tb.t.Helper()
	tb.fill("#line", text+"\r")
}

// until waits until the JavaScript expression is true.
func (tb *tab) until(expression string) {
	tb.t.Helper()
	tb.untilWithin(expression, patience)
}

func (tb *tab) untilWithin(expression string, within time.Duration) {
	tb.t.Helper()
	tb.runWithin(within, "wait for "+expression, chromedp.Poll(expression, nil,
		chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(0)))
}

// sees waits until an element shows exactly this text.
func (tb *tab) sees(selector, text string) {
	tb.t.Helper()
	tb.until(fmt.Sprintf(`[...document.querySelectorAll(%s)].some((n) => n.checkVisibility() && n.textContent.trim() === %s)`,
		strconv.Quote(selector), strconv.Quote(text)))
}

// seesPart waits until an element shows this text among others.
func (tb *tab) seesPart(selector, text string) {
	tb.t.Helper()
	tb.until(fmt.Sprintf(`[...document.querySelectorAll(%s)].some((n) => n.checkVisibility() && n.textContent.includes(%s))`,
		strconv.Quote(selector), strconv.Quote(text)))
}

// eval gives the value of a JavaScript expression.
func eval[V any](tb *tab, expression string) V {
	tb.t.Helper()
	var v V
	tb.run("evaluate "+expression, chromedp.Evaluate(expression, &v))
	return v
}

// said gives the texts of the lines of the place that is shown, in order.
func (tb *tab) said() []string {
	tb.t.Helper()
	return eval[[]string](tb, `[...document.querySelectorAll('#lines .said .text')].map((n) => n.textContent)`)
}

// signIn signs a player in.
func (tb *tab) signIn(user, password string) {
	tb.t.Helper()
	tb.fill("#gate-form [name=username]", user)
	tb.fill("#gate-form [name=password]", password+"\r")
	tb.sees("#you-name", user)
	tb.until(`document.querySelector('#link').dataset.state === 'online'`)
}

// screen turns the page to a size and a theme, "light" or "dark".
func (tb *tab) screen(width, height int64, theme string, phone bool) {
	tb.t.Helper()
	tb.run("resize", emulation.SetDeviceMetricsOverride(width, height, 1, phone),
		emulation.SetTouchEmulationEnabled(phone),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: theme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}))
}

// shoot takes a picture of what is shown.
func (tb *tab) shoot() []byte {
	tb.t.Helper()
	var png []byte
	tb.run("take a picture", chromedp.ActionFunc(func(ctx context.Context) (err error) {
		png, err = page.CaptureScreenshot().WithFormat(page.CaptureScreenshotFormatPng).WithOptimizeForSpeed(false).Do(ctx)
		return err
	}))
	return png
}
