import type { Role } from '../shared/api/objects';

export type Right = 'publish' | 'operate' | 'read_audit' | 'manage_people';

const RIGHTS: Record<Role, readonly Right[]> = {
  owner: [],
  viewer: [],
  publisher: ['publish'],
  operator: ['operate', 'read_audit'],
  admin: ['publish', 'operate', 'read_audit', 'manage_people'],
};

export const ROLES: readonly Role[] = ['owner', 'viewer', 'publisher', 'operator', 'admin'];

/** Whether to offer it: the server decides whether it is done. */
export const allows = (role: Role, right: Right): boolean => RIGHTS[role].includes(right);
