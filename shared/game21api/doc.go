// Package game21api is the contract of services/game21: rounds that the whole hall plays.
//
// What the hall is told (game21.started, game21.answered, game21.ended) is at [Game].
package game21api
