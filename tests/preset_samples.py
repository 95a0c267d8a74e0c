"""The sample files of the presets: made-up rows in each source's own format, a small ring among other accounts.

`python -m tests.preset_samples` writes them again; a test compares.
"""

import csv
import io
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).resolve().parent.parent / "linkage" / "ingest" / "presets" / "samples"

RING: Final = frozenset(range(40, 46))
"""The accounts, by number, that are one ring."""

_ACCOUNTS: Final = 46
_WORDS: Final = """
amber anchor apple arrow autumn bakery banner barley basket beacon birch blanket border bottle branch
bridge bronze bucket butter cabin camel candle canyon carpet castle cedar cellar chapel cherry circus
clover cobalt copper coral cotton cradle crystal curtain daisy desert dolphin donkey dragon drawer eagle
ember engine falcon feather fennel ferry fiddle forest fountain fox garden garlic ginger glacier glove
granite grape guitar hammer harbor hazel helmet hollow honey island ivory jacket jasmine jungle kettle
kitten ladder lantern lavender lemon lily lizard maple marble meadow melon meteor mirror monkey mountain
mustard needle nettle oasis olive onion orchid otter oyster paddle palace panther paper parrot pebble
pepper pigeon pillow pine planet plum pocket pond poplar
""".split()  # noqa: SIM905


_TEMPLATES: Final = (
    "Write five product reviews of the {} that sound human, each with one flaw, in a buyer's voice.",
    "List ten questions that a customer asks before buying the {}, and answer each in two lines.",
)


@dataclass(frozen=True)
class Event:
    """Something that an account did."""

    number: int
    account: int
    at: datetime
    ip: str
    agent: str
    card: str
    prompt: str

    @property
    def id(self) -> str:
        """Its own."""
        return f"{self.number:08x}-5a3e-4c1d-9b7f-{self.account:012x}"


def events() -> list[Event]:
    """What everybody did in February: six accounts share a proxy pool, three cards, two clients and templates.

    They work through a queue: what one of them is asked, the others are asked in the same minutes.
    """
    dice = random.Random(9)
    february = datetime(2026, 2, 1, tzinfo=UTC)
    rounds = [timedelta(days=dice.randrange(28), seconds=dice.randrange(86_400)) for _ in range(24)]
    found: list[Event] = []
    for account in range(_ACCOUNTS):
        agent = f"{dice.choice(('openai-python', 'curl', 'node-fetch', 'go-http'))}/{dice.randrange(9)}.{account}"
        if account not in RING:
            for _ in range(3):
                at = february + timedelta(days=dice.randrange(28), seconds=dice.randrange(86_400))
                home = f"203.0.{113 + account % 2}.{1 + account}"
                prompt = " ".join(dice.choices(_WORDS, k=dice.randrange(8, 16)))
                found.append(Event(len(found), account, at, home, agent, f"Fp{account:03d}QwErTyUiOp", prompt))
            continue
        for turn, start in enumerate(rounds):
            at = february + start + timedelta(seconds=dice.randrange(180))
            slot = " ".join(dice.choices(_WORDS, k=2))
            found.append(
                Event(
                    len(found),
                    account,
                    at,
                    f"198.51.100.{dice.randrange(4) + 20}",
                    f"batch-runner/7.{dice.randrange(2)}",
                    f"Xk3{dice.randrange(3)}RingCardPrint",
                    _TEMPLATES[turn % 2].format(slot),
                )
            )
    return sorted(found, key=lambda event: (event.at, event.account))


def _csv(columns: str, rows: Iterator[dict[str, Any]]) -> str:
    text = io.StringIO()
    names = columns.replace("\n", " ").split(", ")
    writer = csv.DictWriter(text, names, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _lines(rows: Iterator[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)


def _iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _messages(event: Event) -> list[dict[str, Any]]:
    return [{"role": "user", "content": event.prompt}]


_STRIPE: Final = (
    "id, Description, Seller Message, {created}, Amount, Amount Refunded, Currency, Converted Amount, "
    "Converted Amount Refunded, Fee, Tax, Converted Currency, Mode, Status, Statement Descriptor, Customer ID, "
    "Customer Description, Customer Email, Captured, Card ID, Card Last4, Card Brand, Card Funding, Card Exp Month, "
    "Card Exp Year, Card Name, Card Address Country, Card Issue Country, Card Fingerprint, Card CVC Status, "
    "Disputed Amount, Dispute Status, Invoice ID, Payment Source Type, PaymentIntent ID{more}"
)


def _payments(created: str) -> Iterator[dict[str, Any]]:
    for event in events()[::2]:
        yield {
            "id": f"ch_3S{event.number:06d}" if created != "Created date (UTC)" or event.number % 3 else "",
            "Seller Message": "Payment complete.",
            created: event.at.strftime("%Y-%m-%d %H:%M:%S"),
            "Amount": "20.00",
            "Currency": "usd",
            "Converted Amount": "20.00",
            "Fee": "0.88",
            "Converted Currency": "usd",
            "Mode": "Live",
            "Status": "Paid",
            "Customer ID": f"cus_{event.account:04d}",
            "Customer Email": f"u{event.account}@{'ring-mail.example' if event.account in RING else 'mail.example'}",
            "Captured": "true",
            "Card ID": f"card_{event.number:06d}",
            "Card Last4": f"{1000 + event.account}",
            "Card Brand": "Visa",
            "Card Funding": "credit",
            "Card Exp Month": "4",
            "Card Exp Year": "2029",
            "Card Issue Country": "US",
            "Card Fingerprint": event.card,
            "Payment Source Type": "card",
            "PaymentIntent ID": f"pi_3S{event.number:06d}",
            "Customer Phone": "",
            "plan (metadata)": "pro",
        }


def _litellm() -> Iterator[dict[str, Any]]:
    for event in events():
        yield {
            "request_id": f"chatcmpl-{event.id}",
            "call_type": "acompletion",
            "api_key": f"{event.account:064x}",
            "spend": "0.0021",
            "total_tokens": "300",
            "prompt_tokens": "120",
            "completion_tokens": "180",
            "startTime": event.at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
            "endTime": (event.at + timedelta(seconds=2)).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
            "request_duration_ms": "2000",
            "model": "gpt-5-mini",
            "model_group": "small",
            "custom_llm_provider": "openai",
            "api_base": "https://api.example",
            "user": f"user_{event.account}" if event.account % 2 else "",
            "metadata": {"user_api_key_user_id": f"user_{event.account}", "status": "success"},
            "cache_hit": "False",
            "request_tags": [],
            "team_id": "",
            "requester_ip_address": event.ip,
            "messages": _messages(event),
            "response": {},
            "session_id": event.id,
            "status": "success",
        }


def _litellm_users() -> Iterator[dict[str, Any]]:
    first: dict[int, Event] = {}
    for event in events():
        first.setdefault(event.account, event)
    for account, event in sorted(first.items()):
        joined = event.at - timedelta(days=2 if account in RING else 40 + account)
        yield {
            "user_id": f"user_{account}",
            "user_alias": f"u{account}",
            "organization_id": f"org_{account}",
            "teams": "{}",
            "user_role": "internal_user",
            "user_email": f"u{account}@{'ring-mail.example' if account in RING else 'mail.example'}",
            "models": "{}",
            "metadata": "{}",
            "allowed_cache_controls": "{}",
            "policies": "{}",
            "model_spend": "{}",
            "model_max_budget": "{}",
            "created_at": joined.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
            "updated_at": event.at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
        }


_LITELLM: Final = (
    "request_id, call_type, api_key, spend, total_tokens, prompt_tokens, completion_tokens, startTime, endTime, "
    "request_duration_ms, completionStartTime, model, model_id, model_group, custom_llm_provider, api_base, user, "
    "metadata, cache_hit, cache_key, request_tags, team_id, organization_id, end_user, requester_ip_address, messages, "
    "response, session_id, status, mcp_namespaced_tool_name, agent_id, proxy_server_request"
)


def _flat(rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        yield {name: json.dumps(value) if isinstance(value, (dict, list)) else value for name, value in row.items()}


def _langfuse() -> Iterator[dict[str, Any]]:
    for event in events():
        yield {
            "id": f"obs-{event.id}",
            "trace_id": f"trace-{event.number}",
            "project_id": "prj_1",
            "environment": "default",
            "type": "GENERATION",
            "parent_observation_id": None,
            "start_time": _iso(event.at),
            "end_time": _iso(event.at + timedelta(seconds=2)),
            "name": "chat",
            "metadata": {},
            "level": "DEFAULT",
            "input": _messages(event),
            "output": "…",
            "provided_model_name": "gpt-5-mini",
            "model_parameters": {"temperature": 1},
            "usage_details": {"input": 120, "output": 180, "total": 300},
            "cost_details": {"total": 0.0021},
            "completion_start_time": _iso(event.at),
            "user_id": f"user_{event.account}",
            "session_id": f"s{event.account}",
            "trace_name": "chat",
        }
        if event.number % 5 == 0:
            yield {
                "id": f"span-{event.number}",
                "trace_id": f"trace-{event.number}",
                "type": "SPAN",
                "start_time": _iso(event.at),
                "name": "retrieve",
                "user_id": f"user_{event.account}",
            }


def _helicone() -> Iterator[dict[str, Any]]:
    for event in events():
        yield {
            "response_id": f"resp-{event.id}",
            "response_created_at": _iso(event.at + timedelta(seconds=2)),
            "response_status": "200",
            "request_created_at": _iso(event.at),
            "request_body": json.dumps({"model": "gpt-5-mini", "messages": _messages(event)}),
            "request_properties": json.dumps({"app": "web"}),
            "request_user_id": f"user_{event.account}",
            "model": "gpt-5-mini",
            "prompt_tokens": "120",
            "completion_tokens": "180",
            "latency": "2000",
            "cost": "0.0021",
        }


def _openrouter() -> Iterator[dict[str, Any]]:
    for event in events():
        ours = event.account in RING
        yield {
            "id": f"gen-{event.number}",
            "upstream_id": event.id,
            "total_cost": 0.0021,
            "created_at": _iso(event.at),
            "model": "small/model-1",
            "app_id": 9_000 + event.number % 3 if ours else 100 + event.account,
            "streamed": True,
            "cancelled": False,
            "provider_name": "Example",
            "latency": 800,
            "finish_reason": "stop",
            "tokens_prompt": 120,
            "tokens_completion": 180,
            "native_tokens_prompt": 121,
            "native_tokens_completion": 181,
            "native_tokens_reasoning": 0,
            "native_tokens_cached": 0,
            "origin": f"https://relay{event.number % 2}.example/" if ours else f"https://site{event.account}.example/",
            "usage": 0.0021,
            "is_byok": False,
            "external_user": f"user_{event.account}",
            "api_type": "completions",
            "router": None,
        }


def _attributes(event: Event, *, old: bool) -> dict[str, Any]:
    """In the current names of the conventions, or in those before."""
    ours = event.account in RING
    names: dict[str, Any] = {
        "gen_ai.request.model": "small-model",
        "user.id": f"user_{event.account}",
        "client.address": event.ip,
        "user_agent.original": event.agent,
        "tls.client.ja3": f"{7 if ours else 100 + event.account:032x}",
    }
    if old:
        said = {"gen_ai.prompt": event.prompt, "gen_ai.system": "openai"}
        return {**names, **said, "gen_ai.usage.prompt_tokens": 120, "gen_ai.usage.completion_tokens": 180}
    return {
        **names,
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.response.id": f"chat-{event.id}",
        "gen_ai.input.messages": json.dumps(
            [{"role": "user", "parts": [{"type": "text", "content": event.prompt}]}],
        ),
        "gen_ai.usage.input_tokens": 120,
        "gen_ai.usage.output_tokens": 180,
    }


def _otlp() -> Iterator[dict[str, Any]]:
    """Batches as the collector's file exporter writes them: every other span by the old names."""
    spans = []
    for event in events():
        nanos = int(event.at.timestamp()) * 10**9
        attributes = [
            {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
            for key, value in _attributes(event, old=event.number % 2 == 0).items()
        ]
        spans.append(
            {
                "traceId": f"{event.number:032x}",
                "spanId": f"{event.number:016x}",
                "name": "chat small-model",
                "kind": 3,
                "startTimeUnixNano": str(nanos),
                "endTimeUnixNano": str(nanos + 2 * 10**9),
                "attributes": attributes,
            }
        )
    for at in range(0, len(spans), 64):
        resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "gateway"}}]}
        scopes = [{"scope": {"name": "gateway"}, "spans": spans[at : at + 64]}]
        yield {"resourceSpans": [{"resource": resource, "scopeSpans": scopes}]}


def _auth0() -> Iterator[dict[str, Any]]:
    for event in events():
        ours = event.account in RING
        yield {
            "date": _iso(event.at),
            "type": "s",
            "description": "Success Login",
            "connection": "Username-Password-Authentication",
            "connection_id": "con_1",
            "client_id": "cl_1",
            "client_name": "Console",
            "ip": event.ip,
            "hostname": "login.example",
            "user_id": f"auth0|{event.account:024x}",
            "user_name": f"u{event.account}@{'ring-mail.example' if ours else 'mail.example'}",
            "strategy": "auth0",
            "strategy_type": "database",
            "log_id": event.id,
            "isMobile": False,
            "user_agent": event.agent,
            "security_context": {
                "ja3": f"{7 if ours else 100 + event.account:032x}",
                "ja4": f"t13d{event.number % 2 if ours else 100 + event.account}",
            },
            "location_info": {"country_code": "US"},
        }


def _okta() -> Iterator[dict[str, Any]]:
    """The first events of each account: these records are long."""
    seen: Counter[int] = Counter()
    for event in events():
        ours = event.account in RING
        seen[event.account] += 1
        if seen[event.account] > (12 if ours else 1):
            continue
        yield {
            "uuid": event.id,
            "published": _iso(event.at),
            "eventType": "user.session.start",
            "version": "0",
            "severity": "INFO",
            "displayMessage": "User login to Okta",
            "actor": {
                "id": f"00u{event.account:017d}",
                "type": "User",
                "alternateId": f"u{event.account}@{'ring-mail.example' if ours else 'mail.example'}",
                "displayName": "Made Up",
            },
            "client": {
                "userAgent": {"rawUserAgent": event.agent, "os": "Linux", "browser": "UNKNOWN"},
                "zone": "null",
                "device": "Computer",
                "ipAddress": event.ip,
                "geographicalContext": {"country": "United States"},
            },
            "outcome": {"result": "SUCCESS", "reason": None},
            "securityContext": {"isProxy": ours},
            "debugContext": {
                "debugData": {
                    "requestUri": "/api/v1/authn",
                    "dtHash": f"{event.number % 3 if ours else 100 + event.account:064x}",
                }
            },
        }


def _cloudtrail() -> Iterator[dict[str, Any]]:
    for event in events():
        ours = event.account in RING
        yield {
            "eventVersion": "1.11",
            "userIdentity": {
                "type": "IAMUser",
                "principalId": f"AIDA{event.account:017d}",
                "arn": f"arn:aws:iam::{111122223333 + event.account}:user/app",
                "accountId": str(111122223333 + event.account),
                "accessKeyId": f"AKIA{event.account:016d}",
                "userName": "app",
            },
            "eventTime": event.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "eventSource": "bedrock.amazonaws.com" if event.number % 4 else "iam.amazonaws.com",
            "eventName": "InvokeModel" if event.number % 4 else "GetUser",
            "awsRegion": "us-east-1",
            "sourceIPAddress": event.ip if ours or event.number % 9 else "cloudformation.amazonaws.com",
            "userAgent": event.agent,
            "requestParameters": {"modelId": "small.model-v1:0"} if event.number % 4 else None,
            "responseElements": None,
            "requestID": event.id,
            "eventID": f"e{event.id}",
            "readOnly": True,
            "eventType": "AwsApiCall",
            "recipientAccountId": "111122223333",
            "vpcEndpointId": f"vpce-{event.number % 2 if ours else 100 + event.account:017x}",
        }


def _bedrock() -> Iterator[dict[str, Any]]:
    for event in events():
        body = {
            "messages": [{"role": "user", "content": [{"text": event.prompt}]}],
            "inferenceConfig": {"maxTokens": 512},
        }
        yield {
            "schemaType": "ModelInvocationLog",
            "schemaVersion": "1.0",
            "timestamp": event.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "accountId": str(111122223333 + event.account),
            "identity": {"arn": f"arn:aws:iam::{111122223333 + event.account}:user/app"},
            "region": "us-east-1",
            "requestId": f"inv-{event.id}",
            "operation": "Converse",
            "modelId": "small.model-v1:0",
            "input": {"inputContentType": "application/json", "inputBodyJson": body, "inputTokenCount": 120},
            "output": {"outputContentType": "application/json", "outputBodyJson": {}, "outputTokenCount": 180},
        }


def _nginx() -> str:
    lines = []
    for event in events():
        time = event.at.strftime("%d/%b/%Y:%H:%M:%S +0000")
        key = event.number % 3 if event.account in RING else 100 + event.account
        lines.append(
            f'{event.ip} - user_{event.account} [{time}] "POST /v1/chat/completions HTTP/1.1" 200 '
            f'{900 + event.number} "-" "{event.agent}" "key_{key}"\n'
        )
    return "".join(lines)


def _stripe(created: str, more: str) -> str:
    columns = _STRIPE.format(created=created, more=more)
    known = set(columns.split(", "))
    return _csv(columns, ({n: v for n, v in row.items() if n in known} for row in _payments(created)))


SAMPLES: Final[dict[str, Callable[[], str]]] = {
    "auth0.jsonl": lambda: _lines(_auth0()),
    "bedrock.jsonl": lambda: _lines(_bedrock()),
    "cloudtrail.json": lambda: json.dumps({"Records": list(_cloudtrail())}),
    "helicone.csv": lambda: _csv(
        "response_id, response_created_at, response_status, request_created_at, request_body, request_properties, "
        "request_user_id, model, prompt_tokens, completion_tokens, latency, cost",
        _helicone(),
    ),
    "langfuse.json": lambda: json.dumps(list(_langfuse())),
    "litellm.csv": lambda: _csv(_LITELLM, _flat(_litellm())),
    "litellm.json": lambda: json.dumps(list(_litellm())),
    "litellm_users.csv": lambda: _csv(
        "user_id, user_alias, team_id, sso_user_id, organization_id, object_permission_id, password, teams, user_role, "
        "max_budget, user_email, models, metadata, max_parallel_requests, tpm_limit, rpm_limit, budget_duration, "
        "budget_reset_at, allowed_cache_controls, policies, model_spend, model_max_budget, created_at, updated_at",
        _litellm_users(),
    ),
    "nginx.log": _nginx,
    "okta.json": lambda: "[\n" + ",\n".join(map(json.dumps, _okta())) + "\n]\n",
    "openrouter.jsonl": lambda: _lines(_openrouter()),
    "otel.jsonl": lambda: _lines(_otlp()),
    "stripe.csv": lambda: _stripe("Created (UTC)", ""),
    "stripe-unified.csv": lambda: _stripe(
        "Created date (UTC)", ", Decline Reason, Is Link, Customer Phone, plan (metadata)"
    ),
}
"""File name to what writes its text; the name's first part is the preset's."""


def preset_of(name: str) -> str:
    """The preset that a sample is of."""
    return name.partition(".")[0].partition("-")[0]


def write(names: Sequence[str] = tuple(SAMPLES)) -> None:
    """Write the samples again."""
    FOLDER.mkdir(exist_ok=True)
    for name in names:
        (FOLDER / name).write_text(SAMPLES[name](), encoding="utf-8")


if __name__ == "__main__":
    write()
