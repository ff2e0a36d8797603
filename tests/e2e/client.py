"""The way of a tenant through a client that is generated from openapi.json: mypy holds the types, the run holds the service.

BASE_URL names the service, SANDBOX_URL where it mails to, SLUG the tenant. What came of it is printed as JSON.
"""

import json
import os
import re
import time
from urllib.parse import quote
from urllib.request import urlopen

from tenantry_client import AuthenticatedClient, Client
from tenantry_client.api.tenant import get_own_tenant, get_provision_status
from tenantry_client.api.sign_in import prove_address
from tenantry_client.api.signup import confirm_pro, sign_up
from tenantry_client.models.checkpoint import Checkpoint
from tenantry_client.models.error_code import ErrorCode
from tenantry_client.models.error_response import ErrorResponse
from tenantry_client.models.field_error_code import FieldErrorCode
from tenantry_client.models.plan import Plan
from tenantry_client.models.proof_request import ProofRequest
from tenantry_client.models.proof_response import ProofResponse
from tenantry_client.models.provision_status_response import ProvisionStatusResponse
from tenantry_client.models.run_status import RunStatus
from tenantry_client.models.signup_response import SignupResponse
from tenantry_client.models.signup_request import SignupRequest
from tenantry_client.types import Unset

BASE_URL, SANDBOX_URL, SLUG = os.environ["BASE_URL"], os.environ["SANDBOX_URL"], os.environ["SLUG"]
anyone = Client(base_url=BASE_URL)


def form(slug: str) -> SignupRequest:
    return SignupRequest(club_name="FC Python", club_slug=slug, email=f"{SLUG}@example.org", plan=Plan.PRO)


def mailed_code(address: str) -> str:
    while True:
        with urlopen(f"{SANDBOX_URL}/__sandbox/mails?to={quote(address)}") as answer:
            for mail in json.load(answer)["mails"]:
                if found := re.search(r"^(\d{6})$", mail["text"], re.MULTILINE):
                    return found[1]
        time.sleep(0.1)


def finished(signed_in: AuthenticatedClient, tenant: str) -> ProvisionStatusResponse:
    while True:
        answer = get_provision_status.sync(tenant, client=signed_in)
        assert isinstance(answer, ProvisionStatusResponse), answer
        if answer.status not in (RunStatus.PENDING, RunStatus.PROCESSING):
            return answer
        time.sleep(0.1)


def main() -> None:
    signed_up = sign_up.sync(client=anyone, body=form(SLUG), idempotency_key=SLUG)
    assert isinstance(signed_up, SignupResponse), signed_up
    assert not isinstance(signed_up.jwt, Unset)
    assert signed_up.email_proven is False
    signing_up = AuthenticatedClient(base_url=BASE_URL, token=signed_up.jwt)
    confirm_pro.sync(client=signing_up)
    mistaken = prove_address.sync(client=signing_up, body=ProofRequest(token="guess"))
    assert isinstance(mistaken, ErrorResponse), mistaken
    proven = prove_address.sync(client=signing_up, body=ProofRequest(code=mailed_code(signed_up.tenant.email)))
    assert isinstance(proven, ProofResponse), proven
    assert proven.email_proven is True
    assert not isinstance(proven.jwt, Unset)
    signed_in = AuthenticatedClient(base_url=BASE_URL, token=proven.jwt)
    status = finished(signed_in, signed_up.tenant_id)
    steps = {name: step for name, step in status.data.checkpoints.additional_properties.items()}
    assert all(isinstance(step, Checkpoint) for step in steps.values())

    refused = get_own_tenant.sync(client=AuthenticatedClient(base_url=BASE_URL, token="x"))
    assert isinstance(refused, ErrorResponse), refused
    assert refused.error.code is ErrorCode.INVALID_TOKEN
    wrong = sign_up.sync(client=anyone, body=form("www"))
    assert isinstance(wrong, ErrorResponse), wrong
    issues = wrong.error.issues
    assert not isinstance(issues, Unset)
    assert [issue.code for issue in issues] == [FieldErrorCode.RESERVED]
    print(
        json.dumps(
            {
                "status": status.status.value,
                "progress": status.data.progress,
                "steps": {name: step.status.value for name, step in steps.items()},
                "errors": [step.error for step in steps.values()],
                "refused": [refused.error.code.value, wrong.error.code.value],
            }
        )
    )


main()
