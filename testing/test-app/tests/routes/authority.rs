use otaru_test_app::each_database;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

each_database! {
    async fn what_a_phone_has_to_trust_is_for_everybody_and_no_secret(app: TestApp) {
        let pem = app.anonymous().get("/ca.pem").await.expect_status(200);
        assert_eq!(pem.header("content-type"), "application/x-pem-file");
        let text = std::str::from_utf8(pem.body()).unwrap();
        assert_eq!(text.matches("-----BEGIN ").count(), 1, "{text}");

        let der = app.anonymous().get("/ca.crt").await.expect_status(200);
        assert_eq!(der.header("content-type"), "application/x-x509-ca-cert");
        assert_eq!(der.body(), &*CertificateDer::from_pem_slice(pem.body()).unwrap());

        // The one of the devices may sign for every name there is: it is not for phones.
        app.create_product("clock", "device").await;
        let device = serde_json::json!({ "thing": "clock-01", "product": "clock" });
        let device = app.admin().post("/api/v1/devices", device).await.expect_status(201).json();
        assert_ne!(device["ca_pem"], text);

        assert_eq!(app.stranger().get("/ca.crt").await.refusal(), "404 route_unknown");
    }
}
