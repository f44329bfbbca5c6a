package load

// greeting is what the relays tell a client that is among those who are told everything.
const greeting = "welcome"
