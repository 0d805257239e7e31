import { DewyError } from "../../base/errors.ts";

/**
 * `MEMBER_FAILED`: another app of the group could not come along; `cause` is why. `NOT_TOGETHER`: not
 * all of them came. `UNDECIDED`: the disk would not take the decision.
 */
export class GroupError extends DewyError<"MEMBER_FAILED" | "NOT_TOGETHER" | "UNDECIDED"> {}
