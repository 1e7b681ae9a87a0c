-- Which devices of an organisation have a certificate that ends soon.
CREATE INDEX devices_by_certificate_end ON devices (organisation, certificate_ends_at);
