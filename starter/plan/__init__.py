"""`countersign request plan`: a request's calendar before anything is sent."""
