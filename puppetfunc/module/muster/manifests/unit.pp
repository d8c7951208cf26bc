# @summary A systemd unit, as the program itself prints it, and systemd told of it.
#
# @api private
#
# @param part
#   What muster unit prints: serve or agent.
define muster::unit (
  Enum['serve', 'agent'] $part,
) {
  $unit = "/etc/systemd/system/${name}.service"
  $says = "${muster::program} unit ${part}"

  exec { "muster: write ${unit}":
    command  => "${says} > ${unit}.new && mv ${unit}.new ${unit} && systemctl daemon-reload",
    unless   => "${says} | cmp -s - ${unit}",
    path     => ['/usr/bin', '/bin'],
    provider => shell,
  }
}
