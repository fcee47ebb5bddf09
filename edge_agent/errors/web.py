"""Errors of a browser or a program that asks over HTTP: refuse with the same three fields as everywhere, go on."""

from edge_agent.errors.root import EdgeAgentError


class WebRefused(EdgeAgentError):
    """The asker's fault: refuse, go on."""

    code = "web-refused"
    hint = "Read the detail; reload the page, or correct the request."


class RequestInvalid(WebRefused):
    """The address, the query, a header or the body does not say what this operation needs."""

    code = "request-invalid"
    hint = "Correct the named field; the description of the interface lists every one."


class AddressUnknown(WebRefused):
    """Nothing is served at this address."""

    code = "address-unknown"
    hint = "Check the address; the description of the interface lists every one."


class MethodUnknown(WebRefused):
    """This address is served, but not with this method."""

    code = "method-unknown"
    hint = "Use one of the methods that the Allow header names."


class HostUnknown(WebRefused):
    """The browser was led here under a name that is not this server's, as by a page that rebinds names."""

    code = "host-unknown"
    hint = "Reach the server under its bound address, or add the name to hosts in its configuration."


class CrossSite(WebRefused):
    """The request came from a page of another origin, or does not show that it came from ours."""

    code = "cross-site"
    hint = "Use the pages of this server itself. A program sends the header X-Edge-Agent: 1 with everything but GET."


class LoginRequired(WebRefused):
    """Nobody is logged in, or the session ended."""

    code = "login-required"
    hint = "Log in."


class LoginRefused(WebRefused):
    """Name and password do not fit together, or the officer is locked out; which of them is not told."""

    code = "login-refused"
    hint = "Check name and password, or ask an administrator for a new password."


class TooSoon(WebRefused):
    """Too many attempts or requests in a short time."""

    code = "too-soon"
    hint = "Wait as many seconds as the Retry-After header says."


class RoleMissing(WebRefused):
    """The officer is logged in, but does not have the role that this needs."""

    code = "role-missing"
    hint = "Ask an administrator for the role, or let an officer who has it do this."


class TokenRefused(WebRefused):
    """The request carries no token of ours, one that ran out, or one of another scope."""

    code = "token-refused"
    hint = "Send `Authorization: Bearer TOKEN`; make one with `edge-agent tokens new NAME --scope read`."


class RequestTooSlow(WebRefused):
    """The request did not arrive in time."""

    code = "request-too-slow"
    hint = "Try again over a better connection."


class AnswerTooSlow(WebRefused):
    """The answer was not ready in time."""

    code = "answer-too-slow"
    hint = "Ask for less at once, such as a shorter period, or try again later."
