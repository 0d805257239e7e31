import { expect, it, onTestFinished } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { openHttpClient } from "../../base/http-client.ts";
import { serve } from "../../base/local-server.fake.ts";
import { askAuthority } from "./acme-exchange.ts";

const kind = (name: string) => `urn:ietf:params:acme:error:${name}`;

it.each([
  [
    429,
    { type: kind("rateLimited"), detail: "too many\ncertificates" },
    "RATE_LIMITED",
    "rateLimited: too many certificates",
  ],
  [403, { type: kind("unauthorized"), detail: "go away" }, "REFUSED", "unauthorized: go away"],
  [503, "a page", "UNAVAILABLE", "it does not say why"],
])("says what an answer of %i means", async (status, body, code, sentence) => {
  const { answer, host } = await asked(status, body);

  await expect(answer).rejects.toMatchObject({
    code,
    message: `${host} answers ${status}: ${sentence}`,
    retryAfterMs: 120_000,
  });
});

it("leaves a nonce that is refused to the protocol", async () => {
  const { answer } = await asked(400, { type: kind("badNonce") });

  expect(await answer).toMatchObject({ status: 400 });
});

async function asked(status: number, body: unknown) {
  const { url } = await serve((_request, response) => {
    response.writeHead(status, { "retry-after": "120" }).end(JSON.stringify(body));
  });
  const http = openHttpClient({ userAgent: "dewy" });
  onTestFinished(() => http.close());
  const request = { method: "POST", url: url.href, body: "{}" };
  const parts = { http, clock: systemClock };
  const answer = askAuthority(request, parts, { signal: AbortSignal.timeout(10_000) });
  return { answer, host: url.host };
}
