// Package accountapi is the contract of services/account: online time, and who is here.
package accountapi
