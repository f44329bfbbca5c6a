package edge

import "time"

// Limits of a connection, each with its reason.
const (
	// firstCommandWithin closes who connects and asks nothing: sockets are finite.
	firstCommandWithin = 60 * time.Second
	// lineWithin closes who begins a line and does not end it (slowloris).
	lineWithin = 10 * time.Second
	// headerMost is how long the header of an HTTP request may be.
	headerMost = 8 << 10
	// answerWithin closes who asks over HTTP and does not read the answer, which is at most
	// some 100 KB.
	answerWithin = 30 * time.Second
	// skipMost is how much of a too long line is skipped in search of its end; a line longer
	// still is no mistake of a person.
	skipMost = 256 << 10
	// invalidMost within invalidWithin closes who sends only nonsense.
	invalidMost   = 10
	invalidWithin = 10 * time.Second
	// invalidCost is what an invalid command takes from the session's rate.
	invalidCost = 2
	// newPerWindow is how many connections one address may open in newWindow.
	newPerWindow = 32
	newWindow    = 10 * time.Second
	// preAuthShare of all connections may be without a session: a crowd of strangers must not
	// keep the players out.
	preAuthShare = 0.25
	// addressBits is how much of an IPv6 address is one customer's.
	addressBits = 64
)

// Limits of sign-up and sign-in, for addresses that are not trusted.
const (
	signInPerUserAndAddress = 5  // a minute
	signInPerAddress        = 20 // a minute
	signUpPerAddress        = 3  // an hour
	signUpAll               = 30 // in 10 minutes
	// signInPerUser in signInUserWindow is answered late, never refused: whoever guesses a
	// password must not lock its owner out. Beyond it an attempt waits signInDelay.
	signInPerUser    = 30
	signInUserWindow = 10 * time.Minute
	signInDelay      = 2 * time.Second
)

// Limits of delivery.
const (
	// lagMost and stallMost close a session that reads too slowly: so much of its channels
	// unsent, and nothing taken for so long.
	lagMost   = 4 << 20
	stallMost = 5 * time.Second
	// lagHard closes it however steadily it reads: it bounds memory.
	lagHard = 64 << 20
	// confirmAfter is from when on the answer of a command is given only to a session that is still
	// its user's: less than the second for which auth asks an edge before it takes a session away.
	confirmAfter = 900 * time.Millisecond
	// confirmPause is before that is asked again; it doubles.
	confirmPause = 20 * time.Millisecond
	// earlyMost is how many sessions that are on their way here may have entered a room: they are
	// here within endFor, or nowhere.
	earlyMost = 4096
	// recentMost is how many events of a channel are remembered by position, so that a
	// session can begin where it joined. A join is found within milliseconds.
	recentMost = 4096
	// heldMost is how many live events wait behind a hole that is being filled; beyond it
	// they are dropped, and read from the stream with the hole.
	heldMost = 4096
)

// How long things take.
const (
	// requestFor is how long a request may go unanswered before a player is told.
	requestFor = 2 * time.Second
	// publishFor is how long a command that changes something is retried.
	publishFor = 15 * time.Second
	// noticeAfter tells a player that a command takes longer.
	noticeAfter = 2 * time.Second
	// hashFor is how long a trusted address waits for its password to be hashed.
	hashFor = 5 * time.Minute
	// endFor is how long the edge tries to end a session whose connection is gone; after it
	// the next sign-in or the end of the edge's lease ends it.
	endFor = 60 * time.Second
	// adriftFor is how long a client whose connection was lost may come back here before anybody
	// is told of the loss: most do at once, and two writes to the disk are saved for one. It is
	// counted in the 30 s that auth gives.
	adriftFor = 500 * time.Millisecond
	// lingerFor is how long an edge that stops answers for its former sessions: until all who ask
	// know that these have ended. What is asked while it stops hearing may be lost between two NATS
	// servers without a word, and then nobody could tell whether it was done.
	lingerFor = 250 * time.Millisecond
	// endsAtOnce bounds the sessions ended side by side.
	endsAtOnce = 128
	// leaseEvery renews the edge's lease; fenceAfter without a confirmed renewal the edge
	// lets go of its sessions: longer than two elections of NATS, shorter than the lease.
	leaseEvery = 5 * time.Second
	fenceAfter = 20 * time.Second
	// tailEvery looks for events whose telling was lost.
	tailEvery = time.Second
	// deadAfter is how long the kernel waits for a sign of life of a peer.
	deadAfter = 30 * time.Second
	// readWithin is how long what lies in a socket may take to be read: a client whose command
	// takes long, or who is made to wait, is not silent.
	readWithin = 100 * time.Millisecond
	// closeFor is how long a closing connection may take to read its last words.
	closeFor = time.Second
)
