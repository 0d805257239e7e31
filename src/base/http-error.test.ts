import { expect, it } from "vitest";
import { unreachable } from "./http-error.ts";

it.each([
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "its certificate is not trusted", "NODE_EXTRA_CA_CERTS"],
  ["CERT_HAS_EXPIRED", "its certificate has expired", "renew"],
  ["CERT_NOT_YET_VALID", "its certificate is not valid yet", "clocks"],
  ["ERR_TLS_CERT_ALTNAME_INVALID", "its certificate is for another host", "host name"],
  ["ECONNREFUSED", "nothing listens there", "port"],
  ["ESOMETHING", "words of Node's", "network"],
])("says of %s that %s, and what to do", (code, sentence, hint) => {
  const cause = Object.assign(new Error("words of Node's"), { code });

  expect(unreachable("h.example", cause)).toMatchObject({
    code: "UNREACHABLE",
    message: `cannot reach h.example: ${sentence}`,
    hint: expect.stringContaining(hint),
  });
});
