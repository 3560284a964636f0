"""The score that Mozilla's HTTP Observatory gives a response, by its published rules.

https://github.com/mdn/mdn-http-observatory, version 5: the tests are those of src/analyzer/tests, the modifiers those of
src/grader/charts.js, and the sum that of src/scanner/index.js. What no site of one host can have is left out: the list of
preloaded hosts, and redirects to other hosts.
"""

import re
from html.parser import HTMLParser

from stack import Answer

# Points lost or won; the results are named as the Observatory names them.
MODIFIERS = {
    "csp-implemented-with-no-unsafe-default-src-none": 10,
    "csp-implemented-with-no-unsafe": 5,
    "csp-implemented-with-unsafe-inline-in-style-src-only": 0,
    "csp-implemented-with-insecure-scheme-in-passive-content-only": -10,
    "csp-implemented-with-unsafe-eval": -10,
    "csp-implemented-with-unsafe-inline": -20,
    "csp-implemented-with-insecure-scheme": -20,
    "csp-header-invalid": -25,
    "csp-not-implemented": -25,
    "cookies-secure-with-httponly-sessions-and-samesite": 5,
    "cookies-secure-with-httponly-sessions": 0,
    "cookies-not-found": 0,
    "cookies-without-secure-flag-but-protected-by-hsts": -5,
    "cookies-session-without-secure-flag-but-protected-by-hsts": -10,
    "cookies-without-secure-flag": -20,
    "cookies-samesite-flag-invalid": -20,
    "cookies-anticsrf-without-samesite-flag": -20,
    "cookies-session-without-httponly-flag": -30,
    "cookies-session-without-secure-flag": -40,
    "cross-origin-resource-sharing-not-implemented": 0,
    "cross-origin-resource-sharing-implemented-with-public-access": 0,
    "cross-origin-resource-sharing-implemented-with-restricted-access": 0,
    "cross-origin-resource-sharing-implemented-with-universal-access": -50,
    "redirection-to-https": 0,
    "redirection-off-host-from-http": -5,
    "redirection-not-to-https": -20,
    "redirection-missing": -20,
    "referrer-policy-private": 5,
    "referrer-policy-not-implemented": 0,
    "referrer-policy-unsafe": -5,
    "referrer-policy-header-invalid": -5,
    "hsts-implemented-max-age-at-least-six-months": 0,
    "hsts-implemented-max-age-less-than-six-months": -10,
    "hsts-not-implemented": -20,
    "hsts-header-invalid": -20,
    "sri-implemented-and-all-scripts-loaded-securely": 5,
    "sri-implemented-and-external-scripts-loaded-securely": 5,
    "sri-not-implemented-response-not-html": 0,
    "sri-not-implemented-but-no-scripts-loaded": 0,
    "sri-not-implemented-but-all-scripts-loaded-from-secure-origin": 0,
    "sri-not-implemented-but-external-scripts-loaded-securely": -5,
    "sri-implemented-but-external-scripts-not-loaded-securely": -20,
    "sri-not-implemented-and-external-scripts-not-loaded-securely": -50,
    "x-content-type-options-nosniff": 0,
    "x-content-type-options-not-implemented": -5,
    "x-content-type-options-header-invalid": -5,
    "x-frame-options-implemented-via-csp": 5,
    "x-frame-options-sameorigin-or-deny": 0,
    "x-frame-options-not-implemented": -20,
    "x-frame-options-header-invalid": -20,
    "cross-origin-resource-policy-implemented-with-same-origin": 10,
    "cross-origin-resource-policy-implemented-with-same-site": 10,
    "cross-origin-resource-policy-implemented-with-cross-origin": 0,
    "cross-origin-resource-policy-not-implemented": 0,
    "cross-origin-resource-policy-header-invalid": -5,
}
SIX_MONTHS = 15_552_000
BROAD = {"ftp:", "http:", "https:", "*", "http://*", "http://*.*", "https://*", "https://*.*"}
INLINE = {"'unsafe-inline'", "data:"}
KEYED = ("'sha256-", "'sha384-", "'sha512-", "'nonce-")


def parse_policy(header: str) -> dict[str, set[str]]:
    """Return the sources of each directive of one policy.

    Raises:
        ValueError: for a directive that is there twice, and for a policy that is none.
    """
    policy: dict[str, set[str]] = {}
    for entry in filter(None, (part.split() for part in header.split(";"))):
        name = entry[0].lower()
        if name in policy:
            raise ValueError(f"{name} is there twice")
        policy[name] = {source.lower() for source in entry[1:]} or {"'none'"}
    if not policy:
        raise ValueError("it is empty")
    return policy


def content_security_policy(answer: Answer) -> str:
    """Judge Content-Security-Policy."""
    header = answer.header("content-security-policy")
    if not header:
        return "csp-not-implemented"
    try:
        policy = parse_policy(header)
    except ValueError:
        return "csp-header-invalid"
    default = policy.get("default-src", {"*"})
    scripts, styles = set(policy.get("script-src", default)), set(policy.get("style-src", default))
    for sources in (scripts, styles):
        if any(source.startswith(KEYED) for source in sources):
            sources.discard("'unsafe-inline'")
    if "'strict-dynamic'" in scripts:
        if not any(source.startswith(KEYED) for source in scripts):
            return "csp-header-invalid"
        scripts = {source for source in scripts if source != "'self'" and not source.startswith(tuple(BROAD))}
    passive = policy.get("img-src", default) | policy.get("media-src", default)
    rest = [sources for name, sources in policy.items() if name not in {"img-src", "media-src", "script-src"}]
    active = scripts.union(*rest)
    insecure = ("http:", "ftp:")
    judged = {
        "csp-implemented-with-unsafe-inline": scripts & (BROAD | INLINE) or policy.get("object-src", default) & BROAD,
        "csp-implemented-with-insecure-scheme": any(source.startswith(insecure) for source in active),
        "csp-implemented-with-unsafe-eval": "'unsafe-eval'" in scripts | styles,
        "csp-implemented-with-insecure-scheme-in-passive-content-only": any(one.startswith(insecure) for one in passive),
        "csp-implemented-with-unsafe-inline-in-style-src-only": styles & (BROAD | INLINE),
        "csp-implemented-with-no-unsafe-default-src-none": default == {"'none'"},
    }
    return next((result for result, holds in judged.items() if holds), "csp-implemented-with-no-unsafe")


def strict_transport_security(answer: Answer) -> str:
    """Judge Strict-Transport-Security."""
    header = answer.header("strict-transport-security")
    if not header:
        return "hsts-not-implemented"
    age = re.search(r"(?:^|;)\s*max-age=(\d+)\s*(?:;|$)", header.lower())
    if age is None or "," in header:
        return "hsts-header-invalid"
    return f"hsts-implemented-max-age-{'at-least' if int(age[1]) >= SIX_MONTHS else 'less-than'}-six-months"


def cookies(answer: Answer) -> str:
    """Judge the worst of the cookies."""
    hsts = strict_transport_security(answer) == "hsts-implemented-max-age-at-least-six-months"
    results = []
    for header in (value for key, value in answer.headers if key == "set-cookie"):
        pair, *flags = [part.strip() for part in header.split(";")]
        flag = {name.lower(): value for name, _, value in (one.partition("=") for one in flags)}
        name = pair.partition("=")[0].lower()
        session = "login" in name or "sess" in name
        same_site = flag.get("samesite", "").lower()
        if "samesite" in flag and (
            same_site not in {"lax", "strict", "none"} or (same_site == "none" and "secure" not in flag)
        ):
            results.append("cookies-samesite-flag-invalid")
        if "secure" not in flag:
            kind = "cookies-session" if session else "cookies"
            results.append(f"{kind}-without-secure-flag{'-but-protected-by-hsts' if hsts else ''}")
        if "csrf" in name and not same_site:
            results.append("cookies-anticsrf-without-samesite-flag")
        if session and "httponly" not in flag:
            results.append("cookies-session-without-httponly-flag")
        results.append(f"cookies-secure-with-httponly-sessions{'-and-samesite' if same_site else ''}")
    return min(results, key=MODIFIERS.__getitem__, default="cookies-not-found")


def resource_sharing(preflight: Answer, origin: str) -> str:
    """Judge what the answer to OPTIONS allows another site."""
    allowed = preflight.header("access-control-allow-origin")
    if not allowed:
        return "cross-origin-resource-sharing-not-implemented"
    if allowed == "*":
        return "cross-origin-resource-sharing-implemented-with-public-access"
    universal = allowed == origin and preflight.header("access-control-allow-credentials").lower() == "true"
    return f"cross-origin-resource-sharing-implemented-with-{'universal' if universal else 'restricted'}-access"


def redirection(plain: Answer, host: str) -> str:
    """Judge where the answer to http leads."""
    target = plain.header("location")
    if not 300 <= plain.status < 400:
        return "redirection-missing"
    if not target.startswith("https://"):
        return "redirection-not-to-https"
    there = target.removeprefix("https://").partition("/")[0].partition(":")[0]
    return "redirection-to-https" if there == host else "redirection-off-host-from-http"


def referrer_policy(answer: Answer) -> str:
    """Judge the last value of Referrer-Policy that is known."""
    private = {"no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin"}
    unsafe = {"origin", "origin-when-cross-origin", "unsafe-url", "no-referrer-when-downgrade"}
    header = answer.header("referrer-policy")
    known = [value for value in map(str.strip, header.lower().split(",")) if value in private | unsafe]
    if not header:
        return "referrer-policy-not-implemented"
    if not known:
        return "referrer-policy-header-invalid"
    return "referrer-policy-private" if known[-1] in private else "referrer-policy-unsafe"


class Scripts(HTMLParser):
    """Collects where the scripts of a page come from, and whether their content is checked."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a script."""
        if tag == "script":
            given = dict(attrs)
            self.found.append((given.get("src") or "", bool(given.get("integrity"))))


def subresource_integrity(answer: Answer, host: str) -> str:
    """Judge where the scripts of a page come from."""
    if not answer.header("content-type").startswith(("text/html", "application/xhtml+xml")):
        return "sri-not-implemented-response-not-html"
    parser = Scripts()
    parser.feed(answer.text)
    results = []
    for source, integrity in parser.found:
        ours = not source.startswith("//") and re.match(rf"https?://(?!{re.escape(host)}[:/])", source) is None
        checked = "implemented" if integrity else "not-implemented"
        if ours and integrity:
            results.append("sri-implemented-and-all-scripts-loaded-securely")
        elif not ours and source.startswith("https://"):
            way = "and-external-scripts" if integrity else "but-external-scripts"
            results.append(f"sri-{checked}-{way}-loaded-securely")
        elif not ours:
            results.append(f"sri-{checked}-{'but' if integrity else 'and'}-external-scripts-not-loaded-securely")
    if not parser.found:
        return "sri-not-implemented-but-no-scripts-loaded"
    own = "sri-not-implemented-but-all-scripts-loaded-from-secure-origin"
    return min(results, key=MODIFIERS.__getitem__, default=own)


def content_type_options(answer: Answer) -> str:
    """Judge X-Content-Type-Options."""
    known = {"": "not-implemented", "nosniff": "nosniff"}
    return f"x-content-type-options-{known.get(answer.header('x-content-type-options').lower(), 'header-invalid')}"


def frame_options(answer: Answer) -> str:
    """Judge X-Frame-Options, or what stands in its place."""
    if "frame-ancestors" in answer.header("content-security-policy"):
        return "x-frame-options-implemented-via-csp"
    known = {"": "not-implemented", "deny": "sameorigin-or-deny", "sameorigin": "sameorigin-or-deny"}
    return f"x-frame-options-{known.get(answer.header('x-frame-options').lower(), 'header-invalid')}"


def resource_policy(answer: Answer) -> str:
    """Judge Cross-Origin-Resource-Policy."""
    header = answer.header("cross-origin-resource-policy").lower()
    if not header:
        return "cross-origin-resource-policy-not-implemented"
    known = header in {"same-origin", "same-site", "cross-origin"}
    return f"cross-origin-resource-policy-{f'implemented-with-{header}' if known else 'header-invalid'}"


def score(answer: Answer, plain: Answer, preflight: Answer, host: str, origin: str) -> tuple[int, list[str]]:
    """Return the score, of which 100 and more is an A+, and the result of each test.

    Args:
        answer: of https.
        plain: of http, where nothing was followed.
        preflight: of OPTIONS, from another origin.
        host: the host that was asked.
        origin: that other origin.
    """
    results = [
        content_security_policy(answer),
        cookies(answer),
        resource_sharing(preflight, origin),
        redirection(plain, host),
        referrer_policy(answer),
        strict_transport_security(answer),
        subresource_integrity(answer, host),
        content_type_options(answer),
        frame_options(answer),
        resource_policy(answer),
    ]
    modifiers = [MODIFIERS[result] for result in results]
    lost = 100 + sum(modifier for modifier in modifiers if modifier < 0)
    # What was won counts for who lost 10 points at most.
    return max(0, 100 + sum(modifiers) if lost >= 90 else lost), results
