import { OciError } from "../../oci/error.ts";
import { deletionRefused } from "./blobs.ts";
import type { ApiParts, Inquiry, Methods } from "./exchange.ts";

/** `/api/v1/repositories/<name>` */
export function repositoryMethods(
  { repository }: { repository: string },
  { call, grant }: Inquiry,
  { store: { repositories }, deletion }: ApiParts,
): Methods {
  return {
    async DELETE() {
      if (deletion === "refused") throw deletionRefused();
      const isGone = await repositories.delete(repository, { ...call, actor: grant.user });
      if (!isGone) throw unknownRepository(repository);
      return { status: 202, headers: { "content-length": 0 } };
    },
  };
}

export function unknownRepository(name: string): OciError {
  return new OciError("NAME_UNKNOWN", "there is no such repository", { detail: { name } });
}
