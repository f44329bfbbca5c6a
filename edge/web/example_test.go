package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"gamehall/edge/web"
)

func ExampleHandler() {
	w := httptest.NewRecorder()
	web.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	fmt.Println(w.Code, w.Header().Get("Content-Type"))
	// Output: 200 text/html; charset=utf-8
}
