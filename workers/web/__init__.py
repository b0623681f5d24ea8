"""What is reached over HTTP: the pages behind the links in letters, and the API."""
