// Package web is the web client: the files that a browser loads, and the [Handler] that
// serves them at / of the edge's HTTP port. The client speaks what every WebSocket client
// speaks (/ws, subprotocol hall.v1); nothing on the server is made for it alone.
//
// The files are embedded and run as they are written: ES modules, CSS, one page. There is
// no build step, no library, and no request to any other server. files/app.js says which
// module does what. A module of the client is one story: the connection (net.js), what is
// known (state.js), what a player does (actions.js), and what is seen (view-*.js).
//
// # What it promises
//
//   - What somebody typed is text on the page and never markup: only dom.js makes elements,
//     from strings that become text nodes; the policy that [Handler] sends forbids inline
//     code in any case.
//   - A line is shown once and none is missing: each channel's last sequence is kept, sent
//     with a resume, and nothing at or below it is taken again.
//   - A line is said once: what changes something carries a key and is repeated with it
//     until it has an answer, over a lost connection and over a reload of the page.
//   - The token of a session is kept in the tab's sessionStorage, never in a cookie, and is
//     gone with the tab.
//
// tools/browser drives the whole of it in a real browser.
package web
