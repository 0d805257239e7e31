import { expect, it } from "vitest";
import { mailFailure } from "./mail-failure.ts";

const server = "mail.example:465";
const route = { host: "mail.example", port: 465, security: "implicit", server } as const;

it.each([
  ["unable to verify the first certificate", "unable to verify the first certificate", "ca=PATH"],
  ["certificate has expired", "certificate has expired", "renew"],
  [
    "Hostname/IP does not match certificate's altnames: IP: 10.0.0.1 is not in the cert's list: ",
    "Hostname/IP does not match certificate's altnames: IP: 10.0.0.1 is not in the cert's list",
    "name the host",
  ],
])("says what is wrong with a certificate, and what to do: %s", (said, reason, hint) => {
  const error = Object.assign(new Error(said), { code: "ESOCKET" });

  expect(mailFailure(error, route, [])).toMatchObject({
    code: "REFUSED",
    message: `the certificate of ${server} is not trusted: ${reason}`,
    hint: expect.stringContaining(hint),
  });
});
