// Package conditions writes a controller's own conditions into the status of a ClusterDeployment, beside those of other
// controllers, and leaves all else as it is.
package conditions
