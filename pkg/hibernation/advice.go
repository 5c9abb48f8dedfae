package hibernation

// What a message advises must not cost a disk, whoever obeys it and however little of the rest is understood: no message
// advises to delete a server, an image or the ClusterDeployment while that may be the last copy of anything.
const (
	adviceOrphans   = "restore the record from a backup, and its hibernation goes on from there; if such a machine is not to come back, give its image another name, and the cluster is taken to be without it"
	adviceNoServers = "check the credentials, the region and the infraID, and whether the servers bear the mark openshiftClusterID"
	adviceKept      = "Make its server again from that snapshot, on its ports, or repair the server; if the snapshot is needed no more, rename the image"
	// A server that is out of the cluster still has its disk, and can be brought back.
	adviceTakeOutOfCluster = "take the mark openshiftClusterID out of the metadata and tags of the server that is no machine of the cluster"
)
