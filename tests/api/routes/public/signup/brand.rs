//! `POST /public/signup/brand`

use serde_json::json;

use crate::support::TestApp;

#[tokio::test]
async fn a_tenants_colours_are_stored() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let other = app.signed_up("fc-sued").await;
    app.passes(60);
    let body = json!({ "primaryColor": "#A1B2C3", "secondaryColor": "#000000" });
    let answer = tenant.posts("/public/signup/brand", &body).await;
    assert_eq!(answer.is(200), json!({ "success": true }));
    let brand = |id: &str| app.db().row(&format!("select * from tenant_brand where tenant_id = '{id}'"));
    assert_eq!(
        brand(&tenant.id),
        json!({
            "tenant_id": tenant.id, "primary_color": "#a1b2c3", "secondary_color": "#000000", "updated_at": app.now()
        })
    );
    let others = other.gets("/api/v1/tenants/me").send().await.is(200);
    assert_eq!(others["data"]["brand"]["primaryColor"], "#1f4e79", "another club keeps its own");
}

#[tokio::test]
async fn a_colour_is_six_hex_digits_after_a_hash() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    for colour in ["red", "#fff", "a1b2c3", "#a1b2cg", "#a1b2c3;x", "", "#a1b2c3 "] {
        let body = json!({ "primaryColor": colour, "secondaryColor": colour });
        let complaints = tenant.posts("/public/signup/brand", &body).await.complains_about();
        let both =
            ["primaryColor", "secondaryColor"].map(|field| (field.to_owned(), "invalid_color".to_owned()));
        assert_eq!(complaints, both, "{colour}");
    }
    let missing = tenant.posts("/public/signup/brand", &json!({})).await.complains_about();
    assert_eq!(
        missing,
        ["primaryColor", "secondaryColor"].map(|field| (field.to_owned(), "required".to_owned()))
    );
}

#[tokio::test]
async fn colours_outlive_provisioning() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let body = json!({ "primaryColor": "#a1b2c3", "secondaryColor": "#102030" });
    tenant.posts("/public/signup/brand", &body).await.is(200);
    tenant.connects_make().await.is(200);
    tenant.waits().await;
    assert_eq!(app.db().row("select primary_color from tenant_brand")["primary_color"], "#a1b2c3");
}
