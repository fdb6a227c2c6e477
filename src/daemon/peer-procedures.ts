import { anchorProcedures } from "../migrator/anchor-procedures.ts";
import { handoverProcedures } from "../migrator/handover/procedures.ts";
import { delegationProcedures, migrationProcedures } from "../migrator/procedures.ts";
import { repointProcedures } from "../migrator/repoint-procedures.ts";
import { retireProcedures } from "../migrator/retire-procedures.ts";
import { adoptionProcedures } from "./adoption/procedures.ts";
import { doctorProcedures } from "./doctor/pair/procedures.ts";
import { evacuationProcedures } from "./evacuation/procedures.ts";
import { hostProcedures } from "./inventory/host-description.ts";
import { followProcedures } from "./libvirt-hooks/procedures.ts";
import { capacityProcedures } from "./maintenance/capacity.ts";
import { baseProcedures } from "./procedures.ts";
import { storageProcedures } from "./storage/procedures.ts";

/** All procedures between hosts. */
export const procedures = {
  ...{ ...baseProcedures, ...hostProcedures, ...capacityProcedures },
  ...{ ...migrationProcedures, ...delegationProcedures, ...retireProcedures },
  ...{ ...doctorProcedures, ...storageProcedures, ...adoptionProcedures },
  ...{ ...followProcedures, ...repointProcedures, ...anchorProcedures },
  ...{ ...handoverProcedures, ...evacuationProcedures },
};
