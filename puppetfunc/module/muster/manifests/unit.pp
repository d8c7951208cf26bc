# @summary A systemd unit of the module, and systemd told of it.
#
# @api private
#
# @param user
#   Whom the unit runs as.
# @param data
#   The folder that it may write to.
define muster::unit (
  String[1]       $user = 'root',
  Pattern[/\A\//] $data = $muster::data,
) {
  $parameters = {
    'program' => $muster::program,
    'config'  => "${muster::config_dir}/muster.yaml",
    'user'    => $user,
    'data'    => $data,
  }

  file { "/etc/systemd/system/${name}.service":
    ensure  => file,
    owner   => 'root',
    group   => 'root',
    mode    => '0644',
    content => epp("muster/${name}.service.epp", $parameters),
    notify  => Exec["muster: systemd reads ${name}.service"],
  }

  exec { "muster: systemd reads ${name}.service":
    command     => 'systemctl daemon-reload',
    path        => ['/bin', '/usr/bin'],
    refreshonly => true,
  }
}
