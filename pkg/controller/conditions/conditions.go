package conditions

import (
	hivev1 "github.com/overwinter/overwinter/apis/hive/v1"
)

// Index returns where a condition stands in the status, -1 if it does not exist.
func Index(cd *hivev1.ClusterDeployment, kind hivev1.ClusterDeploymentConditionType) int {
	for i := range cd.Status.Conditions {
		if cd.Status.Conditions[i].Type == kind {
			return i
		}
	}
	return -1
}

// Brief returns a text of at most limit bytes, which has to be 3 at least. One that is longer is cut between two characters and
// ends with an ellipsis.
func Brief(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	const ellipsis = "…"
	cut := limit - len(ellipsis)
	for cut > 0 && text[cut]&0xC0 == 0x80 {
		cut--
	}
	return text[:cut] + ellipsis
}
