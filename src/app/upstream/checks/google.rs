//! Google's own APIs: whether the service account gets a token for what it has to read, and reads.

use serde_json::Value;

use crate::{
    app::upstream::google::{self, Account},
    ports::{OutboundResponse, Ports},
};

use super::{CheckCode, Checker, TIME_LIMIT, Verdict};

/// No spreadsheet has this id. Who may read spreadsheets is told so, and who may not is refused.
const NO_SPREADSHEET: &str = "1TenantryAsksForWhatIsNotThereAndReadsNothing";

pub(super) async fn check<P: Ports>(checker: Checker<'_, P>, spreadsheet: Option<&str>) -> Verdict {
    let Some(file) = &checker.app.config().google_service_account_key else {
        return Verdict::new(CheckCode::NotUsed, "Spreadsheets are read back through the script.");
    };
    let Ok(account) = Account::parse(file) else { return no_key() };
    Verdict::of(look(&checker, &account, spreadsheet).await)
}

fn no_key() -> Verdict {
    let message = "GOOGLE_SERVICE_ACCOUNT_KEY is no key of a service account: set it to the whole JSON file.";
    Verdict::new(CheckCode::WrongSecret, message)
}

async fn look<P: Ports>(
    checker: &Checker<'_, P>,
    account: &Account,
    spreadsheet: Option<&str>,
) -> Result<Verdict, Verdict> {
    let app = checker.app;
    let call = google::token_call(app, account, TIME_LIMIT).await;
    let response = checker.ask(call.map_err(|_| no_key())?).await?;
    if response.status != 200 {
        return Err(judge_grant(checker, &response));
    }
    let token = google::read_token(&response, app.ports.now()).map_err(|_| checker.malformed(&response))?;
    let wanted = spreadsheet.unwrap_or(NO_SPREADSHEET);
    let response = checker.ask(google::sheet_call(&token, wanted, TIME_LIMIT)).await?;
    let Some(answer) = json(&response) else { return Err(checker.malformed(&response)) };
    match response.status {
        200 if spreadsheet.is_some()
            && answer.get("spreadsheetId").and_then(Value::as_str) == spreadsheet =>
        {
            Ok(Verdict::new(CheckCode::Ok, "The service account reads a club's spreadsheet."))
        }
        404 => Ok(Verdict::new(
            CheckCode::Ok,
            "The service account may read spreadsheets that are shared with it.",
        )),
        400..500 => Err(judge_refusal(checker, &response, &answer, spreadsheet.is_some())),
        _ => Err(checker.malformed(&response)),
    }
}

fn json(response: &OutboundResponse) -> Option<Value> {
    serde_json::from_str(&response.body).ok().filter(Value::is_object)
}

fn judge_grant<P: Ports>(checker: &Checker<'_, P>, response: &OutboundResponse) -> Verdict {
    let error = json(response).and_then(|answer| answer.get("error")?.as_str().map(str::to_owned));
    match (response.status, error.as_deref()) {
        (400..500, Some(_)) if google::will_pass(response) => {
            checker.unknown(&google::rate_limited(response))
        }
        (400..500, Some("invalid_scope" | "unauthorized_client" | "access_denied")) => Verdict::new(
            CheckCode::MissingScope,
            "Google gives the service account no token for the scope spreadsheets.readonly: allow it in its project.",
        ),
        (400..500, Some("invalid_grant" | "invalid_client")) => Verdict::new(
            CheckCode::WrongSecret,
            "Google does not know the service account's key: make a new key, and set GOOGLE_SERVICE_ACCOUNT_KEY to its file.",
        ),
        (status @ 400..500, Some(_)) => {
            checker.refused(status, "look at the service account in Google's console.")
        }
        _ => checker.malformed(response),
    }
}

fn judge_refusal<P: Ports>(
    checker: &Checker<'_, P>,
    response: &OutboundResponse,
    answer: &Value,
    is_a_tenants: bool,
) -> Verdict {
    let Some(error) = answer.get("error") else { return checker.malformed(response) };
    if google::will_pass(response) {
        return checker.unknown(&google::rate_limited(response));
    }
    let lists = ["details", "errors"].into_iter().filter_map(|list| error.get(list)?.as_array()).flatten();
    let reasons: Vec<&str> = lists.filter_map(|one| one.get("reason")?.as_str()).collect();
    let has = |wanted: &[&str]| reasons.iter().any(|reason| wanted.contains(reason));
    if has(&["ACCESS_TOKEN_SCOPE_INSUFFICIENT", "insufficientPermissions"]) {
        let message =
            "The service account's token may not read spreadsheets: allow the scope spreadsheets.readonly.";
        return Verdict::new(CheckCode::MissingScope, message);
    }
    if has(&["SERVICE_DISABLED", "accessNotConfigured"]) {
        let message = "The Google Sheets API is off in the service account's project: switch it on in Google's console.";
        return Verdict::new(CheckCode::ApiDisabled, message);
    }
    if response.status == 403 && is_a_tenants {
        let message = "The newest spreadsheet is not shared with the service account: share the folder with its address.";
        return Verdict::new(CheckCode::NotShared, message);
    }
    checker.refused(response.status, "look at the service account in Google's console.")
}
