// Package docs holds what the documentation says of the code against the code.
package docs
