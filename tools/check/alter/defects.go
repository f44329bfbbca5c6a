package alter

import (
	"gamehall/tools/check/verify"
)

// Defects are all, those of FAULTS.md first.
var Defects = []Defect{
	{"drop", verify.I1, "one delivery in a thousand is lost", dropSome},
	{"drop-last", verify.I1, "only the last line is lost, so that nothing shows the hole", dropLast},
	{"duplicate-on-resume", verify.I2, "what a client had is told again after a resume", duplicateOnResume},
	{"swap", verify.I3, "one member gets two lines in the other order", swap},
	{"edge-order", verify.I3, "each edge makes its own order", edgeOrder},
	{"ack-before-store", verify.I7, "a line is acknowledged and then not stored", ackBeforeStore},
	{"retry-without-id", verify.I2, "a line that was sent again is stored again", retryWithoutID},
	{"deliver-after-leave", verify.I8, "who left a room hears on", deliverAfterLeave},
	{"whisper-to-all", verify.I9, "a whisper goes to every edge's users", whisperToAll},
	{"endless-lease", verify.S2, "a session whose client is gone never ends", endlessLease},
	{"no-fence", verify.S1, "an edge that was frozen serves on after its sessions were taken over", noFence},
	{"winner-by-arrival", verify.G2, "who came first to the edge wins", winnerByArrival},
	{"float", verify.G2, "expressions are evaluated in float64", floatJudge},
	{"answers-in-memory", verify.G3, "answers are lost with their service", answersInMemory},
	{"double-online", verify.O1, "online time is counted twice", doubleOnline},
	{"short-fence", verify.F1, "edges let go of their clients while NATS elects a leader", shortFence},
	{"cut-off", verify.F1, "an edge that is cut off from NATS goes on serving its clients", cutOff},
	{"found-late", verify.F1, "a line that was lost on its way is found much later", foundLate},
	{"power-loss", verify.I7, "what was acknowledged last is gone after a power loss", powerLoss},

	{"clock-order", verify.I4, "a line is put before one that was there when it was said", clockOrder},
	{"sender-order", verify.I5, "two lines of one sender change places", senderOrder},
	{"forged", verify.I6, "a line is stored in another user's name", forged},
	{"stored-refusal", verify.I7, "a line that was refused is stored", storedRefusal},
	{"whisper-lost", verify.I9, "a whisper is acknowledged and does not come", whisperLost},
	{"whisper-again", verify.I9, "a whisper that was shown comes again when its target has come back elsewhere", whisperAgain},
	{"two-sessions", verify.S1, "a user joins while the session before has not left", twoSessions},
	{"resume-after-end", verify.S2, "a token is good for a session that is over", resumeAfterEnd},
	{"name-twice", verify.S3, "a name is given twice", nameTwice},
	{"two-results", verify.G1, "a round's result is told twice", twoResults},
	{"long-round", verify.G4, "a round does not end", longRound},
	{"shrinking-online", verify.O1, "online time that was told is forgotten", shrinkingOnline},
	{"early-drop", verify.L1, "a client that talks is dropped as silent", earlyDrop},
	{"never-well", verify.V1, "after the faults commands are not answered", neverWell},
	{"leak", verify.H1, "goroutines are left behind", leak},

	// Small ones, while something is broken that has nothing to do with them.
	{"online-ahead", verify.O1, "four seconds online are made up", beside(onlineOff(4))},
	{"online-behind", verify.O1, "four seconds online are forgotten", beside(onlineOff(-4))},
	{"late-close", verify.G4, "a round ends three seconds late", beside(lateRound(0, 3))},
	{"late-open", verify.G4, "a round begins three seconds late", beside(lateRound(3, 3))},
	{"left-out", verify.G4, "a round is left out", beside(leftOut)},
	{"stolen", verify.S2, "a sign-in takes a session whose client is there, and was not to", beside(stolen)},
	{"endless-beside", verify.S2, "a session whose client is gone never ends", beside(endlessLease)},
	{"early-drop-beside", verify.L1, "a client that talks is dropped as silent", beside(earlyDropOf)},
}
