package openstackclient

// Destination is where credentials lead by their own words, as far as that can be told without a request.
type Destination struct {
	// AuthURL is the identity endpoint, without a trailing slash.
	AuthURL string
	// Region is the region that they name; empty if they leave it to the catalog.
	Region string
}

// DestinationOf returns where credentials lead. KindInvalid if they can't be used as they are.
func DestinationOf(credentials Credentials) (Destination, error) {
	cloud, err := parseCloud(credentials)
	if err != nil {
		return Destination{}, err
	}
	return Destination{AuthURL: cloud.authURL, Region: cloud.region}, nil
}
