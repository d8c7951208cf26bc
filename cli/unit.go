package cli

import (
	"embed"

	"github.com/spf13/cobra"
)

//go:embed systemd/*.service
var units embed.FS

func (a *app) unitCommand() *cobra.Command {
	return &cobra.Command{
		Use: "unit {serve|agent}", Short: "print a unit for systemd", Args: exactly(1, "serve or agent"),
		Long: `The units start after the network, tell systemd when they are ready and that they live, and may do no more than they must
(systemd-analyze security says how much that is). Paths and user are to be changed by a drop-in: systemctl edit.`,
		Example: "  muster unit serve > /etc/systemd/system/muster.service",
		RunE: func(_ *cobra.Command, args []string) error {
			name := map[string]string{"serve": "muster.service", "agent": "muster-agent.service"}[args[0]]
			if name == "" {
				return usageFault("there are units of serve and agent, not of %q", args[0])
			}
			text, err := units.ReadFile("systemd/" + name)
			if err != nil {
				return err
			}
			_, err = a.out.Write(text)
			return err
		},
	}
}
