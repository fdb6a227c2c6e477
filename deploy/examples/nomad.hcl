# A Nomad job that moves a guest:
#   nomad var put nomad/jobs/move-guest sojourn_token=@TOKEN_FILE
#   nomad job run nomad.hcl
#   nomad job dispatch -meta guest=web1 -meta to=host-b move-guest
# The client that runs it has raw_exec enabled, curl, and the hosts' authority in /etc/sojourn/ca.crt.
# A restarted task follows the migration that the first one began: its key is the allocation.
job "move-guest" {
  type = "batch"

  parameterized {
    meta_required = ["guest", "to"]
  }

  group "move" {
    restart {
      attempts = 3
      mode     = "fail"
    }

    task "migrate" {
      driver = "raw_exec"

      config {
        command = "/opt/sojourn/deploy/examples/migrate.sh"
        args    = ["${NOMAD_META_guest}", "${NOMAD_META_to}", "${NOMAD_ALLOC_ID}"]
      }

      env {
        SOJOURN_HOST       = "https://172.16.1.2:7708"
        SOJOURN_CA_FILE    = "/etc/sojourn/ca.crt"
        SOJOURN_TOKEN_FILE = "${NOMAD_SECRETS_DIR}/sojourn.token"
      }

      template {
        data        = "{{ with nomadVar \"nomad/jobs/move-guest\" }}{{ .sojourn_token }}{{ end }}"
        destination = "secrets/sojourn.token"
      }
    }
  }
}
