import { collect } from "../../base/bytes.ts";
import { type Call, orAborted, TimeoutError, withTimeout } from "../../base/call.ts";
import { DewyError } from "../../base/errors.ts";
import { Secret } from "../../base/secret.ts";
import { formatChallenge } from "../../oci/challenge.ts";
import { AuthError, type Wish } from "../auth/authenticator.ts";
import { parseScope } from "../auth/scope.ts";
import type { IssuedToken, TokenRequest, TokenServer } from "../auth/token-server.ts";
import { type AdmissionParts, addressOf, credentialsIn } from "./admission.ts";
import { type Answer, bodyOf, type Inquiry, jsonAnswer, type Methods } from "./exchange.ts";

/** What cannot be a request for a token, in the words of RFC 6749, section 5.2. */
class TokenRequestError extends DewyError<"invalid_request" | "unsupported_grant_type"> {}

const maximumFormBytes = 65_536;
const formTimeoutMs = 30_000;
/** A push mounts from a few repositories at once; a token must fit into a header. */
const maximumWishes = 200;
const maximumScopeLetters = 4_096;

/** `/auth/token`: Distribution's "Token Authentication Specification", and its OAuth 2.0. */
export function tokenMethods(
  inquiry: Inquiry,
  tokens: TokenServer,
  parts: Pick<AdmissionParts, "clientAddress">,
): Methods {
  const { request, query, call } = inquiry;
  const address = addressOf(request, parts);
  const answer = async (read: () => Promise<TokenRequest>) => {
    try {
      return answerOf(await tokens.issue(await read(), call));
    } catch (error) {
      return refusalOf(error, tokens);
    }
  };

  return {
    GET: () =>
      answer(async () => {
        checkService(query, tokens);
        const credentials = credentialsIn(request.headers.authorization);
        const offline = query.get("offline_token") === "true";
        return { credentials, wishes: wishesIn(query), offline, address };
      }),

    POST: () =>
      answer(async () => {
        const form = await formOf(inquiry, call);
        checkService(form, tokens);
        const offline = form.get("access_type") === "offline";
        const credentials = credentialsOf(form);
        return { credentials, wishes: wishesIn(form), offline, address };
      }),
  };
}

function credentialsOf(form: URLSearchParams): TokenRequest["credentials"] {
  const grant = form.get("grant_type");
  const field = (name: string) => {
    const value = form.get(name);
    if (value === null) throw invalid(`${name} is missing`);
    return value;
  };
  if (grant === "password") {
    return { scheme: "basic", user: field("username"), password: new Secret(field("password")) };
  }
  if (grant === "refresh_token") {
    return { scheme: "refresh", token: new Secret(field("refresh_token")) };
  }
  throw new TokenRequestError(
    "unsupported_grant_type",
    "grant_type has to be password or refresh_token",
  );
}

async function formOf({ request }: Inquiry, call: Call): Promise<URLSearchParams> {
  const type = request.headers["content-type"]?.split(";", 1)[0]?.trim().toLowerCase();
  if (type !== "application/x-www-form-urlencoded") {
    throw invalid("the body has to be application/x-www-form-urlencoded");
  }
  const read = ({ signal }: Call) => orAborted(collect(bodyOf(request), maximumFormBytes), signal);
  const body = await withTimeout("the body of a request for a token", formTimeoutMs, call, read);
  return new URLSearchParams(body.toString());
}

function wishesIn(query: URLSearchParams): Wish[] {
  const scopes = query.getAll("scope");
  if (scopes.join(" ").length > maximumScopeLetters) throw invalid("this is too much of a scope");
  const wishes = scopes.flatMap(parseScope);
  if (wishes.length > maximumWishes) throw invalid("these are too many scopes");
  return wishes;
}

/** A token for somebody else would be good for nothing. */
function checkService(query: URLSearchParams, { service }: TokenServer): void {
  const asked = query.get("service");
  if (asked !== null && asked !== service) throw invalid("this gives no tokens for that service");
}

function answerOf({ token, refreshToken, issuedAt, expiresInSeconds }: IssuedToken): Answer {
  const text = token.reveal();
  const answer = {
    ...{ token: text, access_token: text },
    expires_in: expiresInSeconds,
    issued_at: issuedAt.toISOString().replace(/\.\d+Z$/, "Z"),
    ...(refreshToken === undefined ? {} : { refresh_token: refreshToken.reveal() }),
  };
  return jsonAnswer(200, answer, unkept);
}

/** RFC 6749, section 5.1. */
const unkept = { "cache-control": "no-store", pragma: "no-cache" };

/** In both forms: `docker login` shows the message of the registry's own. */
function refusalOf(error: unknown, { realm }: TokenServer): Answer {
  if (error instanceof AuthError && error.code === "CREDENTIALS_REFUSED") {
    const challenge = formatChallenge({ scheme: "basic", parameters: { realm } });
    const headers = { ...unkept, "www-authenticate": challenge };
    return jsonAnswer(401, failure("invalid_grant", "UNAUTHORIZED", error.message), headers);
  }
  if (error instanceof TokenRequestError) {
    return jsonAnswer(400, failure(error.code, "UNSUPPORTED", error.message), unkept);
  }
  if (error instanceof TimeoutError) {
    return jsonAnswer(408, failure("invalid_request", "UNSUPPORTED", error.message), unkept);
  }
  throw error;
}

function failure(error: string, code: string, message: string) {
  return { error, error_description: message, errors: [{ code, message }] };
}

function invalid(message: string): TokenRequestError {
  return new TokenRequestError("invalid_request", message);
}
