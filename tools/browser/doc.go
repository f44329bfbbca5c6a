// Package browser holds the test of the web client: the hall as it runs, and players at a
// headless Chromium.
//
//	go test -tags browser ./tools/browser
//
// It needs Debian's chromium, or another one that CHROMIUM names. A [proxy] stands between
// the browser and the hall, so that connections can be cut, and the hall restarted on
// another port, while a page keeps its address.
//
// SCREENSHOTS=folder saves pictures of the client there: hall-light.png, hall-dark.png and
// hall-phone.png.
package browser
