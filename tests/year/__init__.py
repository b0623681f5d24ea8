"""The year 2017 of the public CRM sales data, lived through without a break, and cut and resumed: `make year`."""
